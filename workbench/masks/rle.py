"""Run lengths as COCO writes them: column-major, first run visible, packed into printable text."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput, shown


def encode(cells: NDArray[np.bool_]) -> dict[str, Any]:
    """Return {"size": [rows, cols], "counts": text} of a bool [rows, cols] array.

    >>> encode(np.array([[False, True], [True, True]]))
    {'size': [2, 2], 'counts': '13'}
    """
    flat = cells.flatten(order="F")
    changes = np.flatnonzero(np.diff(flat, prepend=False)).tolist()
    runs = np.diff([0, *changes, flat.size]).tolist()
    return {"size": list(cells.shape), "counts": pack(runs)}


def decode(record: Any, limit: int) -> NDArray[np.bool_]:
    """Return bool [rows, cols] of a COCO record, its counts packed text or a plain list.

    Raises:
        BadInput: sizes or runs that are no RLE of at most `limit` cells.
    """
    size = record.get("size") if isinstance(record, dict) else None
    if not isinstance(size, list) or len(size) != 2:
        raise BadInput(f"{shown(record)} is no COCO RLE; it needs size [rows, cols] and counts.")
    if not all(type(side) is int and side > 0 for side in size) or size[0] * size[1] > limit:
        raise BadInput(f"The RLE's size is {shown(size)}, but must be two sides, {limit} cells.")
    counts = record.get("counts")
    runs: list[int] = unpack(counts) if isinstance(counts, str) else (counts or [])
    cells = size[0] * size[1]
    good = isinstance(runs, list) and all(type(run) is int and 0 <= run <= cells for run in runs)
    if not good or sum(runs) != cells:
        raise BadInput(f"The RLE's runs {shown(counts)} do not add up to {cells}; export it again.")
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape(size, order="F")


def pack(runs: list[int]) -> str:
    """Return runs as text: differences to the run two before, five bits a character from "0"."""
    text: list[str] = []
    for index, run in enumerate(runs):
        value = run - runs[index - 2] if index > 2 else run
        more = True
        while more:
            low = value & 31
            value >>= 5
            more = value != (-1 if low & 16 else 0)
            text.append(chr(low + 32 * more + 48))
    return "".join(text)


def unpack(text: str) -> list[int]:
    """Return the runs of packed text.

    Raises:
        BadInput: a character outside the alphabet, or a number without an end.
    """
    runs: list[int] = []
    value = shift = 0
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 64 or shift > 40:
            raise BadInput(f"The RLE's counts {shown(text)} are not COCO's text; export it again.")
        value |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        if code & 16:
            value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value = shift = 0
    if shift:
        raise BadInput(f"The RLE's counts {shown(text)} end within a number; export it again.")
    return runs
