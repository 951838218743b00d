"""What the commands print: sentences for people, one JSON document for programs."""

import contextlib
import json
import math
import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from workbench.errors import BadInput

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


def say(record: Mapping[str, Any] | Sequence[Any], lines: Iterable[str], as_json: bool) -> None:
    """Print `record` as JSON if asked to, else the lines."""
    if as_json:
        typer.echo(as_text(record))
    else:
        for line in lines:
            typer.echo(line)


def as_text(record: Mapping[str, Any] | Sequence[Any]) -> str:
    """Return strict JSON: no NaN and no infinity, which become null."""
    return json.dumps(_finite(record), indent=1, allow_nan=False, default=str)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        items = cast(Mapping[Any, Any], value)
        return {str(key): _finite(each) for key, each in items.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in cast(Sequence[Any], value)]
    return value


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return aligned lines, one a row; the last column is not padded."""
    cells = [list(header), *[[escaped(cell) for cell in row] for row in rows]]
    widths = [max(len(row[at]) for row in cells) for at in range(len(header) - 1)]
    return [
        "  ".join(
            [*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[-1]]
        ).rstrip()
        for row in cells
    ]


def place_of(folder: Path | None) -> str:
    """Return what a hint must say so that it finds a run: the folder given, if one was."""
    return "" if folder is None else f" --dir {shlex.quote(str(folder))}"


def escaped(text: str) -> str:
    r"""Return a text on one line that does nothing to a terminal: other characters as in Python.

    >>> print(escaped("red \x1b[31m"))
    red \x1b[31m
    """
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def warnings(found: Mapping[str, int]) -> list[str]:
    """Return a line for each sentence, with how many runs it is about."""
    return [
        f"warning, {count} run{'s' if count > 1 else ''}: {escaped(said)}"
        for said, count in found.items()
    ]


def check_folder(path: Path) -> None:
    """Refuse before the work what `output_folder` would refuse after it; makes nothing.

    Raises:
        BadInput: a file stands in the way, or no right to write there.
    """
    try:
        place = next(each for each in (path.absolute(), *path.absolute().parents) if each.exists())
        why = "" if place.is_dir() else f"{place} is a file"
        why = why or ("" if os.access(place, os.W_OK) else f"{place} may not be written to")
    except OSError as error:
        why = str(error.strerror)
    if why:
        raise BadInput(f"--out is {path}, which cannot be made a folder ({why}); choose another.")


def output_folder(path: Path) -> Path:
    """Make the folder and return it.

    Raises:
        BadInput: a file of that name, or no right to write there.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(
            f"--out is {path}, which cannot be made a folder ({error.strerror}); choose another."
        ) from None
    return path


def write_bytes(path: Path, content: bytes) -> Path:
    """Write a file whole and return its path; BadInput where it cannot be written."""
    temporary = path.with_name(path.name + ".part")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise BadInput(f"{path} cannot be written ({error.strerror}); choose another.") from None
    return path
