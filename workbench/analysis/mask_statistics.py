"""What a strategy does over many draws: where it hides, in what pieces, at which frequencies."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.analysis import mask_words
from workbench.analysis.mask_card import mask_card
from workbench.analysis.mask_spectrum import (
    Spectrum,
    power_of_masks,
    power_of_pairs,
    spectrum_of,
)
from workbench.masks import Grid, Mask, Strategy
from workbench.masks.strategy import Maps
from workbench.seeds import whole

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
PAIRS_LIMIT = 512  # cells; every two of them are counted together up to here
BATCH_CELLS = 1 << 23
COUNT_LIMIT = 1 << 24


@dataclass(frozen=True)
class MaskStatistics:
    """Measures of `count` masks on `grid`.

    Arrays over draws, float64 [count]; for a clip each is the mean over its frames:

    - `ratios`: realised share of hidden cells, 0 to 1;
    - `pieces`: groups of hidden cells connected by their sides;
    - `border`: edges between a hidden and a visible cell;
    - `distance`: mean distance from a hidden cell to the nearest visible one of its frame, centre
      to centre, in cells; nan where nothing is hidden or nothing is visible.

    Over all draws: `occupancy`, the share of draws that hide each cell, float64 [*grid.shape];
    `agreement`, the share of neighbouring pairs (by sides) that are both hidden or both visible;
    `expected_agreement`, the same if cells with these counts lay at random; `adjacency`, pairs of
    visible neighbours over visible cells; `agreement_in_time`, the share of cells of a clip that
    are like the same cell of the next frame, None for pictures; `spectrum`, see `Spectrum`; `pairs`
    the share of draws that hide both of two cells, float64 [n, n], None above 512 cells.
    """

    grid: Grid
    count: int
    ratios: Floats
    pieces: Floats
    border: Floats
    distance: Floats
    occupancy: Floats
    agreement: float | None
    expected_agreement: float | None
    agreement_in_time: float | None
    adjacency: float | None
    spectrum: Spectrum
    pairs: Floats | None

    @property
    def plane(self) -> Floats:
        """Occupancy [rows, cols], for a clip the mean over its frames."""
        return self.occupancy.reshape(-1, self.grid.rows, self.grid.cols).mean(axis=0)

    @property
    def mean_distance(self) -> float | None:
        """Mean of `distance` over the draws where it exists, None if there is none."""
        known = self.distance[~np.isnan(self.distance)]
        return float(known.mean()) if len(known) else None

    def together(self, cell: int) -> Floats | None:
        """P(hidden | `cell` is hidden), float64 [*grid.shape]; None where pairs are not counted.

        All nan where the cell is never hidden; see `co_masking` for grids of any size.
        """
        if self.pairs is None:
            return None
        cell = whole("cell", cell, 0, self.grid.size - 1)
        often = self.pairs[cell, cell]
        row = self.pairs[cell] / often if often else np.full(self.grid.size, np.nan)
        return row.reshape(self.grid.shape)


def statistics(
    strategy: Strategy,
    grid: Grid,
    count: int = 10_000,
    seed: int = 0,
    maps: Maps | None = None,
) -> MaskStatistics:
    """Draw `count` masks of a strategy and measure them.

    Args:
        strategy: what to draw; the masks are those of image indices 0 to count - 1.
        grid: rows x cols, or a clip.
        count: draws, 1 to 2**24; they are drawn and measured in parts, so memory stays small.
        seed: decides every random choice.
        maps: score maps [count, *grid.shape] or [1, *grid.shape] (one picture for all draws), by
            the recipes of `strategy.needs`.

    Raises:
        BadInput: a count or seed out of range, a grid that the strategy refuses, missing maps.
    """
    count = whole("count", count, 1, COUNT_LIMIT)
    size, parts = max(1, BATCH_CELLS // grid.size), list[_Part]()
    for first in range(0, count, size):
        some = min(size, count - first)
        scores = None
        if maps is not None:
            scores = {name: _rows(each, first, some) for name, each in maps.items()}
        parts.append(_measured(strategy.sample(grid, some, seed, first=first, maps=scores)))
    return _summed(parts, grid, count)


def measure(mask: Mask) -> MaskStatistics:
    """Measure masks that are there already, as `statistics` does."""
    size = max(1, BATCH_CELLS // mask.grid.size)
    parts = [_measured(mask[at : at + size]) for at in range(0, len(mask), size)]
    return _summed(parts, mask.grid, len(mask))


def co_masking(mask: Mask, cell: int) -> Floats:
    """P(hidden | `cell` is hidden) over a batch of masks, float64 [*grid.shape].

    `cell` is the row-major number; all nan where no mask of the batch hides it.

    Raises:
        BadInput: a cell that the grid does not have.
    """
    cell = whole("cell", cell, 0, mask.grid.size - 1)
    flat = mask.hidden.reshape(len(mask), -1)
    chosen = flat[flat[:, cell]]
    if not len(chosen):
        return np.full(mask.grid.shape, np.nan)
    return chosen.mean(axis=0, dtype=np.float64).reshape(mask.grid.shape)


@dataclass
class _Part:
    """Sums over some draws; the first four fields are arrays over them."""

    ratios: Floats
    pieces: Floats
    border: Floats
    distance: Floats
    occupancy: Floats
    visible_pairs: int
    same_in_time: float
    expected: float
    power: Floats
    pairs: Floats | None


def _measured(mask: Mask) -> _Part:
    grid, count = mask.grid, len(mask)
    hidden = mask.hidden.reshape(-1, grid.rows, grid.cols)
    frames = len(hidden) // count
    cells = grid.rows * grid.cols
    pairs = _pairs(hidden) if cells <= PAIRS_LIMIT else None
    if pairs is not None and frames == 1:
        occupancy = pairs.diagonal().copy()
    else:
        occupancy = mask.hidden.sum(axis=0, dtype=np.float64).ravel()
    power = power_of_masks(hidden) if pairs is None else power_of_pairs(pairs, grid.rows, grid.cols)
    each = _counted(hidden)
    with np.errstate(invalid="ignore", divide="ignore"):
        distance = np.where(each.hidden > 0, each.distance / each.hidden, np.nan)
    distance = distance.reshape(count, frames)
    known = ~np.isnan(distance)
    mean = np.where(known, distance, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    same = 0.0
    if grid.frames is not None:
        same = float(np.count_nonzero(mask.hidden[:, 1:] == mask.hidden[:, :-1]))
    return _Part(
        ratios=_by_draw(each.hidden, frames) / cells,
        pieces=_by_draw(each.pieces, frames),
        border=_by_draw(each.border, frames),
        distance=np.where(known.any(axis=1), mean, np.nan),
        occupancy=occupancy,
        visible_pairs=each.visible_pairs,
        same_in_time=same,
        expected=_expected(each.hidden, cells),
        power=power,
        pairs=pairs if frames == 1 and grid.frames is None else None,
    )


def _expected(counts: NDArray[np.int64], cells: int) -> float:
    """The chance that two cells of a mask are alike, summed over masks with these counts."""
    hidden, visible = counts.astype(np.float64), cells - counts.astype(np.float64)
    alike = hidden * (hidden - 1) + visible * (visible - 1)
    return float(alike.sum()) / max(cells * (cells - 1), 1)


def _by_draw(values: NDArray[np.int64], frames: int) -> Floats:
    return values.reshape(-1, frames).mean(axis=1)


def _summed(parts: list[_Part], grid: Grid, count: int) -> MaskStatistics:
    ratios, pieces, border, distance = (
        np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(_Part)[:4]
    )
    rows, cols, frames = grid.rows, grid.cols, grid.frames or 1
    neighbours = rows * (cols - 1) + (rows - 1) * cols
    visible = float((1 - ratios).sum()) * rows * cols * frames
    shown = sum(part.visible_pairs for part in parts)
    in_time = None
    if grid.frames is not None and grid.frames > 1:
        same = sum(part.same_in_time for part in parts)
        in_time = same / (count * (grid.frames - 1) * rows * cols)
    expected = sum(part.expected for part in parts) / (count * frames)
    pairs = [part.pairs for part in parts if part.pairs is not None]
    return MaskStatistics(
        grid=grid,
        count=count,
        ratios=ratios,
        pieces=pieces,
        border=border,
        distance=distance,
        occupancy=np.sum([part.occupancy for part in parts], axis=0).reshape(grid.shape) / count,
        agreement=1 - float(border.mean()) / neighbours if neighbours else None,
        expected_agreement=expected if neighbours else None,
        agreement_in_time=in_time,
        adjacency=shown / visible if visible > 0.5 else None,
        spectrum=spectrum_of(np.sum([part.power for part in parts], axis=0)),
        pairs=np.sum(pairs, axis=0) / count if pairs else None,
    )


def _pairs(hidden: Bools) -> Floats:
    """How many masks hide both of two cells, float64 [n, n]; exact below 2**24 masks."""
    flat = hidden.reshape(len(hidden), -1).astype(np.float32)
    return (flat.T @ flat).astype(np.float64)


@dataclass
class _Counts:
    """One number a mask: hidden cells, pieces, border, summed distance; all visible pairs."""

    hidden: NDArray[np.int64]
    pieces: NDArray[np.int64]
    border: NDArray[np.int64]
    distance: Floats
    visible_pairs: int


def _counted(hidden: Bools) -> _Counts:
    if hidden.shape[2] > mask_words.LONGEST:
        hidden = hidden.swapaxes(1, 2)
    if hidden.shape[2] > mask_words.LONGEST:
        return _counted_one_by_one(hidden)
    cols = hidden.shape[2]
    words = mask_words.packed(hidden)
    return _Counts(
        mask_words.bits_set(words),
        mask_words.piece_counts(words, cols),
        mask_words.border_lengths(words, cols),
        mask_words.distance_sums(words, cols),
        int(mask_words.pair_counts(mask_words.inverted(words, cols)).sum()),
    )


def _counted_one_by_one(hidden: Bools) -> _Counts:
    """The same for grids with more than 64 cells on both sides."""
    cards = [mask_card(each) for each in hidden]
    away = [np.nan if c.mean_distance is None else c.mean_distance * c.hidden for c in cards]
    down = np.count_nonzero(~(hidden[:, 1:] | hidden[:, :-1]))
    across = np.count_nonzero(~(hidden[:, :, 1:] | hidden[:, :, :-1]))
    return _Counts(
        np.array([card.hidden for card in cards]),
        np.array([card.pieces for card in cards]),
        np.array([card.border for card in cards]),
        np.array(away),
        int(down + across),
    )


def _rows(maps: NDArray[Any], first: int, count: int) -> NDArray[Any]:
    """The maps of some draws; one map serves them all."""
    if len(maps) == 1:
        return np.broadcast_to(maps, (count, *maps.shape[1:]))
    return maps[first : first + count]
