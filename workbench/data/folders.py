"""The pictures of a folder, in natural order, without decoding them."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from workbench.data.images import check_header
from workbench.errors import BadInput, shown

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp"})
MAX_FILES = 100_000
MAX_SKIPPED = 100
PATH_SHOWN = 300  # of a path in a sentence: its end says most
# A JPEG may carry previews and profiles of 64 kB each before its size; nothing sane needs more.
HEADER_BYTES = 2**20


@dataclass(frozen=True)
class Folder:
    """`files` are pictures in natural order; `skipped` tells what was left out, and why."""

    files: tuple[Path, ...]
    skipped: tuple[tuple[str, str], ...]


def folder(path: str | Path, most_skipped: int = MAX_SKIPPED) -> Folder:
    """List the PNG, JPEG and WebP files of a folder and its subfolders.

    Order is natural: `img2.png` before `img10.png`. Only headers are read: a file that is not what
    its ending says, is too large, or is a link out of the folder is left out and named.

    Args:
        path: the folder.
        most_skipped: files that cannot be used at most.

    Raises:
        BadInput: not a folder; no picture in it; more than 100,000 pictures; more than
            `most_skipped` files that cannot be used.
    """
    root = Path(path)
    told = shown(str(root), PATH_SHOWN)
    if not root.is_dir():
        raise BadInput(f"{told} is not a folder; name a folder of PNG, JPEG or WebP files")
    inside = root.resolve()
    files: list[Path] = []
    skipped: list[tuple[str, str]] = []
    for file in _pictures(root):
        name = file.relative_to(root).as_posix()
        reason = _unusable(file, name, inside)
        if reason is None:
            files.append(file)
        else:
            skipped.append((name, reason))
        if len(files) > MAX_FILES:
            raise BadInput(f"{told} holds more than {MAX_FILES:,} pictures; name a smaller folder")
        if len(skipped) > most_skipped:
            raise BadInput(
                f"{told} holds more than {most_skipped} files that cannot be used, the first of "
                f"them: {skipped[0][1]}; remove them or name another folder"
            )
    if not files:
        left = f" ({len(skipped)} could not be used: {skipped[0][1]})" if skipped else ""
        raise BadInput(f"{told} holds no PNG, JPEG or WebP file{left}; name a folder of photos")
    files.sort(key=lambda file: natural(file.relative_to(root).as_posix()))
    return Folder(tuple(files), tuple(skipped))


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """Return a sort key that puts numbers in a name in numeric order."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name.casefold())
    return tuple((0, int(p), "") if p.isdecimal() and p.isascii() else (1, 0, p) for p in parts)


def any_picture(root: Path) -> bool:
    """Whether a file below a folder ends as a picture does; reads none."""
    return any(
        Path(name).suffix.lower() in SUFFIXES for _, _, names in os.walk(root) for name in names
    )


def _pictures(root: Path) -> list[Path]:
    found: list[Path] = []
    for place, folders, names in os.walk(root):
        folders.sort()
        found += [Path(place, name) for name in sorted(names)]
    return [file for file in found if file.suffix.lower() in SUFFIXES]


def _unusable(file: Path, name: str, inside: Path) -> str | None:
    if not file.resolve().is_relative_to(inside):
        return f"{name} is a link that leaves the folder"
    if not file.is_file():
        return f"{name} is not a file"
    try:
        with file.open("rb") as opened:
            check_header(opened.read(HEADER_BYTES), name)
    except OSError as error:
        return f"{name} cannot be read ({error.strerror})"
    except BadInput as error:
        return str(error)
    return None
