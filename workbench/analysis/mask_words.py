"""Counting on many masks at once: a line of a mask is one machine word, a bit a cell.

Words lie as [rows, count], so that an operation on a line of all masks is one pass over
contiguous memory. Lines of up to 64 cells fit; the longer side may be any number of lines.
"""

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.unsignedinteger]
Counts = NDArray[np.int64]
LONGEST = 64


def packed(hidden: NDArray[np.bool_]) -> Words:
    """Return bool [count, rows, cols <= 64] as words [rows, count]; bit j is column j."""
    count, rows, cols = hidden.shape
    width = next(bits for bits in (8, 16, 32, 64) if cols <= bits)
    padded = np.zeros((count, rows, width), np.bool_)
    padded[..., :cols] = hidden
    octets = np.packbits(padded.reshape(-1, 8), bitorder="little")
    words = octets.view(f"<u{width // 8}").reshape(count, rows)
    return np.ascontiguousarray(words.T)


def inverted(words: Words, cols: int) -> Words:
    """Return the words with set and unset cells exchanged."""
    return ~words & _full(words, cols)


def bits_set(words: Words) -> Counts:
    """Return the set bits of each mask, int64 [count]."""
    return np.bitwise_count(words).sum(axis=0, dtype=np.int64)


def beside(words: Words) -> Words:
    """Return a bit for every set cell whose next column is set too."""
    return words & (words >> words.dtype.type(1))


def pair_counts(words: Words) -> Counts:
    """Return the pairs of set cells that lie side by side in each mask, int64 [count]."""
    return bits_set(beside(words)) + bits_set(words[1:] & words[:-1])


def border_lengths(words: Words, cols: int) -> Counts:
    """Return the edges between a set and an unset cell of each mask, int64 [count]."""
    one = words.dtype.type(1)
    across = (words ^ (words >> one)) & _full(words, cols - 1)
    return bits_set(across) + bits_set(words[1:] ^ words[:-1])


def piece_counts(words: Words, cols: int) -> Counts:
    """Return the groups of set cells connected by their sides in each mask, int64 [count].

    Pieces are Euler's number plus holes, and a hole is a piece, corners included, of the unset
    cells that no path joins to the outside; its own holes hold pieces again, and so on inwards.
    """
    found = np.zeros(words.shape[1], np.int64)
    where, corners = np.arange(words.shape[1]), False
    while len(where):
        found[where] += _euler(words, corners)
        unset = inverted(words, cols)
        corners = not corners
        words = unset & ~_outside(unset, cols, corners)
        left = np.flatnonzero(words.any(axis=0))
        words, where = np.ascontiguousarray(words[:, left]), where[left]
    return found


def _euler(words: Words, corners: bool) -> Counts:
    """Pieces minus holes, where cells connect by sides, or by sides and corners."""
    one = words.dtype.type(1)
    upper, lower = words[:-1], words[1:]
    flat, both = beside(words), upper & lower
    number = bits_set(words) - bits_set(flat) - bits_set(both)
    four = flat[:-1] & flat[1:]
    if not corners:
        return number + bits_set(four)
    slant = bits_set(upper & (lower >> one)) + bits_set(lower & (upper >> one))
    over = flat[:-1] & (lower | (lower >> one))
    under = flat[1:] & (upper | (upper >> one))
    return number - slant + bits_set(over) + bits_set(under) + bits_set(four)


def _outside(cells: Words, cols: int, corners: bool) -> Words:
    """The set cells that a path over set cells joins to the edge of the grid."""
    one, last = cells.dtype.type(1), cells.dtype.type(cols - 1)
    reached = cells & (one | one << last)
    reached[0], reached[-1] = cells[0], cells[-1]
    where, some, mine = np.arange(cells.shape[1]), cells, reached
    while len(where):
        wide = mine | (mine << one) | (mine >> one)
        grown = wide.copy()
        ends = wide if corners else mine
        grown[1:] |= ends[:-1]
        grown[:-1] |= ends[1:]
        grown &= some
        changed = np.flatnonzero((grown != mine).any(axis=0))
        reached[:, where] = grown
        where, some, mine = where[changed], some[:, changed], grown[:, changed]
    return reached


def distance_sums(words: Words, cols: int) -> NDArray[np.float64]:
    """Return, for each mask, the sum over set cells of the distance to the nearest unset one.

    Distances are Euclidean, between centres, in cells: rings of growing radius around the unset
    cells take the set ones out; nan where every cell is set. float64 [count].
    """
    rows, count = words.shape
    total, where = np.zeros(count), np.arange(count)
    total[bits_set(words) == rows * cols] = np.nan
    keep = np.flatnonzero(~np.isnan(total) & words.any(axis=0))
    where, left = where[keep], np.ascontiguousarray(words[:, keep])
    unset = _near(inverted(left, cols), cols)
    before = bits_set(left)
    for square, steps in _rings(rows, cols):
        if not len(where):
            break
        for down, across in steps:
            left[down:] &= ~unset[across][: rows - down]
            left[: rows - down] &= ~unset[across][down:]
        after = bits_set(left)
        total[where] += (before - after) * np.sqrt(square)
        before = after
        if 2 * np.count_nonzero(after) < len(where):
            keep = np.flatnonzero(after)
            where, left, before = where[keep], left[:, keep], after[keep]
            unset = [each[:, keep] for each in unset]
    return total


def _near(unset: Words, cols: int) -> list[Words]:
    """For every distance, the cells that lie so far to the left or right of an unset one."""
    kind = unset.dtype.type
    return [(unset << kind(step)) | (unset >> kind(step)) for step in range(cols)]


def _rings(rows: int, cols: int) -> list[tuple[int, list[tuple[int, int]]]]:
    """Steps (down, across) of one length, squared lengths in growing order."""
    rings: dict[int, list[tuple[int, int]]] = {}
    for down in range(rows):
        for across in range(cols):
            rings.setdefault(down * down + across * across, []).append((down, across))
    return [(square, rings[square]) for square in sorted(rings) if square]


def _full(words: Words, cols: int) -> "np.unsignedinteger":
    return words.dtype.type((1 << cols) - 1)
