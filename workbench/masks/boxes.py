"""Rectangles placed one after another on many grids at once (the engine of the block strategies).

All images of a batch try their next rectangle in the same step. A grid is a column of 64-bit words,
one bit a cell, so that a rectangle is the AND of two table entries (its lines, its columns) and
its new cells are counted by population counts.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput
from workbench.masks.lattice import Grid
from workbench.masks.ranking import hide_lowest
from workbench.seeds import Noise, hashed

Bools = NDArray[np.bool_]
Words = NDArray[np.uint64]
Single = NDArray[np.float32]
Whole = NDArray[np.int64]
TRIES = 10
AHEAD = 8  # tries whose noise is drawn at once
FILL_STREAM = 1
EDGE_LIMIT = 1 << 22  # words in a table of edges
TABLE_LIMIT = 1 << 20  # words in a table of all spans; beyond it spans are made from edges


@dataclass(frozen=True)
class Rule:
    """Rectangles of an area drawn from `smallest` to the missing cells and of log-uniform aspect.

    `strict` is the official generator: a rectangle must be smaller than the grid on both sides, and
    after ten refused tries the mask stays short. Else a rectangle may be as long as the grid, one
    that sticks out keeps its area, and what is missing becomes one compact piece.
    """

    smallest: int
    min_aspect: float
    strict: bool


def place(grid: Grid, noise: Noise, goal: int, rule: Rule) -> Bools:
    """Return bool [noise.count, *grid.shape] with at most (strict) or exactly `goal` cells set."""
    if goal == 0 or (goal == grid.size and not rule.strict):
        return np.full((noise.count, *grid.shape), goal > 0)
    if -(-grid.size // 64) * (max(grid.rows, grid.cols) + 1) > EDGE_LIMIT:
        raise BadInput(
            f"Blocks on a grid of {grid.rows} x {grid.cols} cells need too much memory; "
            "take patches of more pixels, for about 512 x 512 cells at most."
        )
    spans, keys = _spans(grid.rows, grid.cols), noise.keys()
    free = np.full((-(-grid.size // 64), noise.count), ~np.uint64(0))
    state = _State(free, np.full(noise.count, goal, np.float32), np.full(noise.count, TRIES))
    alive, attempt = np.arange(noise.count), 0
    while len(alive):
        draws = _draws(keys[alive], attempt, rule.min_aspect)
        for ahead in range(AHEAD):
            _step(spans, rule, state, draws[ahead], attempt)
            attempt += 1
            state.missing *= state.until > attempt
            left = int(np.count_nonzero(state.missing))
            if left == 0 or (len(alive) - left > 32 and 2 * left < len(alive)):
                free[:, alive] = state.free
                keep = np.flatnonzero(state.missing)
                alive, draws, state = alive[keep], draws[..., keep], state.only(keep)
                if not left:
                    break
    hidden = _unpack(~free, grid)
    missing = goal - np.count_nonzero(hidden.reshape(noise.count, -1), axis=1)
    short = np.flatnonzero(missing)
    if len(short) and not rule.strict:
        hidden[short] = _filled(hidden[short], missing[short], grid, noise, short)
    return hidden


@dataclass
class _State:
    """Progress of the images that still place rectangles.

    `free` holds the bits of cells not yet hidden, [words, images]; an image gives up (`missing`
    becomes 0) when its attempt `until` comes without a rectangle.
    """

    free: Words
    missing: Single
    until: Whole

    def only(self, keep: Whole) -> "_State":
        return _State(self.free[:, keep], self.missing[keep], self.until[keep])


def _draws(keys: NDArray[np.uint32], attempt: int, min_aspect: float) -> Single:
    """Return share of area, of nothing, stretch of both sides, shares of top and left.

    [AHEAD, 3, 2, images]; the second share of the first pair is not used.
    """
    bits = hashed(keys, 4 * AHEAD, 4 * attempt, by_cell=True).reshape(AHEAD, 4, -1)
    bits >>= np.uint32(8)  # 24 bits: a share of 32 would round up to 1 in single precision
    draws = np.zeros((AHEAD, 3, 2, len(keys)), np.float32)
    draws[:, 0, 0], draws[:, 1, 0], draws[:, 2] = bits[:, 0], bits[:, 1], bits[:, 2:]
    draws *= np.float32(2.0**-24)
    stretch, shrink = draws[:, 1, 0], draws[:, 1, 1]
    # in double precision, because processors differ in the last bit of exp
    stretch[:] = np.exp(math.log(min_aspect) * (0.5 - stretch.astype(np.float64)))
    np.divide(np.float32(1), stretch, out=shrink)
    return draws


def _step(spans: "_Spans", rule: Rule, state: _State, draws: Single, attempt: int) -> None:
    """Let every image try one rectangle."""
    area = state.missing - np.float32(rule.smallest)
    area *= draws[0, 0]
    area += np.float32(rule.smallest)
    sides = np.sqrt(area) * draws[1]
    np.rint(sides, out=sides)
    fits = sides < spans.limits
    if not rule.strict:
        sides = _inside(spans, area, sides)
    new = spans.rectangles(sides, draws[2])
    new &= state.free
    count = np.add.reduce(np.bitwise_count(new), axis=0, dtype=spans.counter).astype(np.float32)
    good = count > 0
    good &= count <= state.missing
    if rule.strict:
        good &= fits[0]
        good &= fits[1]
    new *= good
    state.free ^= new
    count *= good
    state.missing -= count
    np.copyto(state.until, attempt + 1 + TRIES, where=good)


def _inside(spans: "_Spans", area: Single, sides: Single) -> Single:
    """Return sides from 1 to the grid's, with the same area where one of them was too long."""
    over = sides > spans.limits
    if over.any():
        sides = np.where(over[::-1], np.rint(area / spans.limits)[::-1], sides)
    np.maximum(sides, np.float32(1), out=sides)
    return np.minimum(sides, spans.limits, out=sides)


@dataclass(frozen=True)
class _Spans:
    """Bits of all cells in lines (and in columns) start..start+length-1, for many pairs at once.

    `edges` [words, rows + 1 + cols + 1] holds the cells above line i, then those left of column j;
    `whole` the spans themselves, at start * (side + 1) + length, where that table is small.
    """

    limits: Single
    edges: Words
    whole: Words | None
    counter: type[np.unsignedinteger]
    steps: Single  # limits + 1
    offset: Single  # where the columns begin in the table

    def rectangles(self, sides: Single, shares: Single) -> Words:
        """Return the bits of rectangles, [words, images].

        `sides` are heights and widths, `shares` how much of the free play lies above and to the
        left, both [2, images].
        """
        start = self.steps - sides
        start *= shares
        np.floor(start, out=start)
        # "clip" keeps in bounds what is going to be refused
        if self.whole is None:
            start += self.offset
            bits = self.edges.take((start + sides).astype(np.intp), axis=1, mode="clip")
            bits ^= self.edges.take(start.astype(np.intp), axis=1, mode="clip")
        else:
            start *= self.steps
            start += sides
            start += self.offset
            bits = self.whole.take(start.astype(np.intp), axis=1, mode="clip")
        return bits[:, 0] & bits[:, 1]


@lru_cache(maxsize=16)
def _spans(rows: int, cols: int) -> _Spans:
    lines = np.indices((rows, cols)).reshape(2, -1)
    sides = (rows, cols)
    edges = [_pack(at < np.arange(n + 1)[:, None]) for at, n in zip(lines, sides, strict=True)]
    limits = np.array([[rows], [cols]], np.float32)
    whole: list[Words] | None = None
    if len(edges[0]) * ((rows + 1) ** 2 + (cols + 1) ** 2) <= TABLE_LIMIT:
        whole = [_all_spans(bits) for bits in edges]
    table = edges if whole is None else whole
    return _Spans(
        limits,
        np.concatenate(edges, axis=1),
        None if whole is None else np.concatenate(whole, axis=1),
        np.uint8 if rows * cols < 256 else np.uint32,
        limits + np.float32(1),
        np.array([[0], [table[0].shape[1]]], np.float32),
    )


def _all_spans(edges: Words) -> Words:
    steps = np.arange(edges.shape[1])
    last = np.minimum(steps[:, None] + steps, steps[-1])
    return (edges[:, :, None] ^ edges[:, last]).reshape(len(edges), -1)


def _pack(cells: Bools) -> Words:
    padded = np.zeros((len(cells), -(-cells.shape[1] // 64) * 64), bool)
    padded[:, : cells.shape[1]] = cells
    words = np.packbits(padded, axis=1, bitorder="little").view("<u8").astype(np.uint64)
    return np.ascontiguousarray(words.T)


def _unpack(words: Words, grid: Grid) -> Bools:
    octets = np.ascontiguousarray(words.T).astype("<u8", copy=False).view(np.uint8)
    cells = np.unpackbits(octets, axis=1, count=grid.size, bitorder="little")
    return cells.view(np.bool_).reshape(-1, *grid.shape)


def _filled(hidden: Bools, missing: Whole, grid: Grid, noise: Noise, images: Whole) -> Bools:
    """Hide the missing cells nearest (in king's moves) to a random cell, skipping hidden ones."""
    bits = hashed(noise.keys(FILL_STREAM)[images], grid.size + 2)
    room = 32 - max(grid.rows, grid.cols).bit_length()
    start = bits[:, -2:] * np.float64(2.0**-32) * (grid.rows, grid.cols)
    row, col = start.astype(np.int32)[:, :, None].transpose(1, 0, 2)
    down = np.abs(np.arange(grid.rows, dtype=np.int32) - row).view(np.uint32)
    across = np.abs(np.arange(grid.cols, dtype=np.int32) - col).view(np.uint32)
    keys = np.maximum(down[:, :, None], across[:, None, :]).reshape(len(hidden), -1)
    keys <<= np.uint32(room)
    keys |= bits[:, :-2] >> np.uint32(32 - room)
    keys |= hidden.reshape(keys.shape) * np.uint32(max(grid.rows, grid.cols) << room)
    return hidden | hide_lowest(keys, missing).reshape(hidden.shape)
