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
TRIES = 10
AHEAD = 8  # tries whose noise is drawn at once
FILL_STREAM = 1
EDGE_LIMIT = 1 << 22  # words in a table of edges
TABLE_LIMIT = 1 << 19  # words in a table of all spans; beyond it spans are made from edges


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
    keys = noise.keys()
    table = _table(grid.rows, grid.cols)
    words = np.zeros((-(-grid.size // 64), noise.count), np.uint64)
    missing = np.full(noise.count, goal, np.float32)
    alive, state = np.arange(noise.count), _State(words, missing, np.zeros_like(missing))
    attempt = 0
    while len(alive):
        draws = _draws(keys[alive], attempt, rule.min_aspect)
        for ahead in range(AHEAD):
            _step(table, rule, state, draws[ahead])
            going = (state.missing > 0) & (state.fails < TRIES)
            left = int(np.count_nonzero(going))
            if left == 0 or (len(alive) - left > 32 and 4 * left < 3 * len(alive)):
                words[:, alive], missing[alive] = state.words, state.missing
                keep = np.flatnonzero(going)
                alive, draws, state = alive[keep], draws[:, :, keep], state.only(keep)
                if not left:
                    break
        attempt += AHEAD
    hidden = _unpack(words, grid)
    short = np.flatnonzero(missing)
    if len(short) and not rule.strict:
        hidden[short] = _filled(hidden[short], missing[short], grid, noise, short)
    return hidden


@dataclass
class _State:
    """Progress of the images that still place rectangles; `words` is [words, images]."""

    words: Words
    missing: Single
    fails: Single

    def only(self, keep: NDArray[np.int64]) -> "_State":
        return _State(self.words[:, keep], self.missing[keep], self.fails[keep])


def _draws(keys: NDArray[np.uint32], attempt: int, min_aspect: float) -> Single:
    """Return share of area, of height, of top, of left for each try: [AHEAD, 4, images]."""
    bits = hashed(keys, 4 * AHEAD, 4 * attempt).T.reshape(AHEAD, 4, -1)
    # 24 bits: a share of 32 would round up to 1 in single precision
    draws = (bits >> np.uint32(8)) * np.float32(2.0**-24)
    low = np.float32(math.log(min_aspect))
    draws[:, 1] = np.exp(np.float32(0.5) * low - low * draws[:, 1])
    return draws


def _step(table: "_Table", rule: Rule, state: _State, draws: Single) -> None:
    """Let every image try one rectangle."""
    share, stretch, down, across = draws
    area = state.missing - np.float32(rule.smallest)
    area *= share
    area += np.float32(rule.smallest)
    side = np.sqrt(area)
    height, width = np.rint(side * stretch), np.rint(side / stretch)
    good = state.fails < TRIES
    if rule.strict:
        good &= height < table.rows
        good &= width < table.cols
    else:
        height, width = _inside(table, area, height, width)
    new = table.rectangles(height, width, down, across)
    new &= ~state.words
    count = np.bitwise_count(new).sum(axis=0, dtype=table.counter).astype(np.float32)
    good &= count > 0
    good &= count <= state.missing
    new *= good
    state.words |= new
    count *= good
    state.missing -= count
    state.fails += np.float32(1)
    state.fails *= ~good


def _inside(table: "_Table", area: Single, height: Single, width: Single) -> tuple[Single, Single]:
    """Return sides from 1 to the grid's, with the same area where one of them was too long."""
    tall, wide = height > table.rows, width > table.cols
    if tall.any():
        width = np.where(tall, np.rint(area / np.float32(table.rows)), width)
    if wide.any():
        height = np.where(wide, np.rint(area / np.float32(table.cols)), height)
    for side, most in ((height, table.rows), (width, table.cols)):
        np.maximum(side, np.float32(1), out=side)
        np.minimum(side, np.float32(most), out=side)
    return height, width


@dataclass(frozen=True)
class _Spans:
    """Bits of all cells in lines start..start+length-1, looked up for many pairs at once.

    `edges` [words, n + 1] holds the cells before line i; `whole` the spans themselves, at
    start * (n + 1) + length, where that table is small.
    """

    n: int
    edges: Words
    whole: Words | None

    def take(self, length: Single, share: Single) -> Words:
        """Return the bits of spans whose free play before them is `share`, [words, images]."""
        start = np.float32(self.n + 1) - length
        start *= share
        np.floor(start, out=start)
        # "clip" keeps spans in bounds that the caller is going to refuse
        if self.whole is None:
            first, last = start.astype(np.intp), (start + length).astype(np.intp)
            bits = self.edges.take(last, axis=1, mode="clip")
            bits ^= self.edges.take(first, axis=1, mode="clip")
            return bits
        start *= np.float32(self.n + 1)
        start += length
        return self.whole.take(start.astype(np.intp), axis=1, mode="clip")


@dataclass(frozen=True)
class _Table:
    """What rectangles on a grid of rows x cols look like in bits."""

    rows: int
    cols: int
    lines: _Spans
    columns: _Spans

    @property
    def counter(self) -> type[np.unsignedinteger]:
        return np.uint8 if self.rows * self.cols < 256 else np.uint32

    def rectangles(self, height: Single, width: Single, down: Single, across: Single) -> Words:
        bits = self.lines.take(height, down)
        bits &= self.columns.take(width, across)
        return bits


@lru_cache(maxsize=16)
def _table(rows: int, cols: int) -> _Table:
    down, across = np.indices((rows, cols)).reshape(2, -1)
    return _Table(rows, cols, _spans(down, rows), _spans(across, cols))


def _spans(line: NDArray[np.int64], n: int) -> _Spans:
    edges = _pack(line < np.arange(n + 1)[:, None])
    if edges.size * (n + 1) > TABLE_LIMIT:
        return _Spans(n, edges, None)
    last = np.minimum(np.arange(n + 1)[:, None] + np.arange(n + 1), n)
    whole = edges[:, :, None] ^ edges[:, last]
    return _Spans(n, edges, whole.reshape(len(edges), -1))


def _pack(cells: Bools) -> Words:
    padded = np.zeros((len(cells), -(-cells.shape[1] // 64) * 64), bool)
    padded[:, : cells.shape[1]] = cells
    words = np.packbits(padded, axis=1, bitorder="little").view("<u8").astype(np.uint64)
    return np.ascontiguousarray(words.T)


def _unpack(words: Words, grid: Grid) -> Bools:
    octets = np.ascontiguousarray(words.T).astype("<u8", copy=False).view(np.uint8)
    cells = np.unpackbits(octets, axis=1, count=grid.size, bitorder="little")
    return cells.view(np.bool_).reshape(-1, *grid.shape)


def _filled(
    hidden: Bools, missing: Single, grid: Grid, noise: Noise, images: NDArray[np.int64]
) -> Bools:
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
    return hidden | hide_lowest(keys, missing.astype(np.int64)).reshape(hidden.shape)
