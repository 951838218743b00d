"""Decoded pictures kept in a file and mapped from there: memory holds what is being read."""

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from workbench.data.home import home

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
    place = home() / "cache"
    place.mkdir(exist_ok=True)
    whole = place / f"pictures-{_mark(files, side)}.npy"
    with contextlib.suppress(OSError, ValueError):  # not there yet, or damaged: decode
        return _mapped(whole)
    # Others may be reading or making the same file: this one appears whole, under its own name.
    part = whole.with_name(f".{whole.name}.{os.getpid()}")
    try:
        out = open_memmap(part, "w+", np.uint8, (len(files), side, side, 3))
        _, kept, skipped = decode(out)
        out.flush()
        note = part.with_name(f"{part.name}.json")
        note.write_text(json.dumps({"kept": kept.tolist(), "skipped": skipped}), encoding="utf-8")
        note.replace(whole.with_suffix(".json"))
        part.replace(whole)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return _mapped(whole)


def _mapped(whole: Path) -> Found:
    pictures = open_memmap(whole, "r")
    told = json.loads(whole.with_suffix(".json").read_text(encoding="utf-8"))
    kept = np.array(told["kept"], np.int64)
    return pictures[: len(kept)], kept, tuple((name, why) for name, why in told["skipped"])


def _mark(files: Sequence[Path], side: int) -> str:
    """What decides the decoded pictures, in 24 letters."""
    told = hashlib.sha256(f"{side}\n".encode())
    for path in files:
        about = path.stat()
        told.update(f"{path.absolute()}|{about.st_size}|{about.st_mtime_ns}\n".encode())
    return told.hexdigest()[:24]
