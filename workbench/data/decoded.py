"""Decoded pictures kept in a file and mapped from there: memory holds what is being read.

Before a new file is made beyond 20 GB in all, those go that nobody has asked for in a week, the
longest unused first; whoever still reads one keeps it to the end, and later ones decode anew.
"""

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from workbench.data.home import home

PLACE = "cache"
KEEP_BYTES, KEEP_SECONDS = 20 * 2**30, 7 * 24 * 3600.0

Found = tuple[NDArray[np.uint8], NDArray[np.int64], tuple[tuple[str, str], ...]]


def decoded(
    files: Sequence[Path], side: int, decode: Callable[[NDArray[np.uint8]], Found]
) -> Found:
    """Return what `decode` finds, from a file under WORKBENCH_HOME where that is there already.

    Args:
        files: the pictures; their paths, sizes and times of change name the file.
        side: their side in pixels once decoded.
        decode: fills uint8 [len(files), side, side, 3] and returns (pictures, rows kept, name and
            reason of the others), as `collect` does.

    Returns:
        The same, its pictures mapped and not to be written to.
    """
    place = home() / PLACE
    place.mkdir(exist_ok=True)
    whole = place / f"pictures-{_mark(files, side)}.npy"
    note = whole.with_suffix(".json")
    with contextlib.suppress(OSError, ValueError):  # not there yet, damaged or removed: decode
        found = _mapped(whole, note)
        with contextlib.suppress(OSError):
            os.utime(note)  # its time is that of the last use
        return found
    _make_room(place, len(files) * side * side * 3)
    # Others may be reading or making the same file: this one appears whole, under its own name.
    part = whole.with_name(f".{whole.name}.{os.getpid()}")
    try:
        out = open_memmap(part, "w+", np.uint8, (len(files), side, side, 3))
        _, kept, skipped = decode(out)
        out.flush()
        told = part.with_name(f"{part.name}.json")
        told.write_text(json.dumps({"kept": kept.tolist(), "skipped": skipped}), encoding="utf-8")
        found = _mapped(part, told)
        told.replace(note)
        part.replace(whole)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return found


def kept_files() -> tuple[int, int]:
    """Return how many files of decoded pictures are kept, and how many bytes they take."""
    sizes = [size for _, _, size in _entries(home() / PLACE)]
    return len(sizes), sum(sizes)


def _make_room(place: Path, needed: int) -> None:
    """Remove what was not used for long, and what ended processes left, before a file is made."""
    long_ago = time.time() - KEEP_SECONDS
    for part in place.glob(".pictures-*"):
        with contextlib.suppress(OSError):
            if part.stat().st_mtime < long_ago:
                part.unlink()
    entries = sorted(_entries(place))
    total = needed + sum(size for _, _, size in entries)
    for used, whole, size in entries:
        if total <= KEEP_BYTES or used > long_ago:
            return
        with contextlib.suppress(OSError):  # some systems keep what is being read
            whole.unlink()
            whole.with_suffix(".json").unlink(missing_ok=True)
            total -= size


def _entries(place: Path) -> list[tuple[float, Path, int]]:
    """(last use, file, bytes) of what is kept."""
    found: list[tuple[float, Path, int]] = []
    for whole in place.glob("pictures-*.npy"):
        with contextlib.suppress(OSError):
            note = whole.with_suffix(".json")
            about = whole.stat()
            used = note.stat().st_mtime if note.exists() else about.st_mtime
            found.append((used, whole, about.st_size))
    return found


def _mapped(whole: Path, note: Path) -> Found:
    pictures = open_memmap(whole, "r")
    told = json.loads(note.read_text(encoding="utf-8"))
    kept = np.array(told["kept"], np.int64)
    return pictures[: len(kept)], kept, tuple((name, why) for name, why in told["skipped"])


def _mark(files: Sequence[Path], side: int) -> str:
    """What decides the decoded pictures, in 24 letters."""
    told = hashlib.sha256(f"{side}\n".encode())
    for path in files:
        about = path.stat()
        told.update(f"{path.absolute()}|{about.st_size}|{about.st_mtime_ns}\n".encode())
    return told.hexdigest()[:24]
