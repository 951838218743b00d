"""Keep exactly one patch of every 2 x 2, or one square window (UM-MAE)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput
from workbench.masks.lattice import Grid, rounded
from workbench.masks.ranking import hide_lowest
from workbench.masks.strategy import Counts, Drawn, Maps, Ratio, Strategy
from workbench.params import Knob
from workbench.seeds import Noise

Bools = NDArray[np.bool_]
SECONDARY_STREAM = 1


@dataclass(frozen=True, kw_only=True)
class Uniform(Strategy):
    """Hide three of four patches so that the visible ones fill a grid of half the size.

    Uniform sampling: every 2 x 2 cell keeps one patch, each with the same chance, so that encoders
    with windows (Swin, PVT) see equal windows; cells are cut at the lower and right edge. With
    `window="square"` one rectangle of half the height and half the width is kept instead, anywhere
    in the grid. The ratio is in units of a cell (or is the rectangle's) and can only be 0.75; for
    other ratios take `grid`.

    `secondary` is the share of the kept patches that is then replaced by a shared token, which
    hides them too (UM-MAE's recipes use 0.25): floor(secondary * kept + 0.5) of them. Only the
    first three quarters are predicted; with `secondary` they stand in `Mask.targets`.

    Li et al., UM-MAE; official file `mask_transform.py`. The square is that of HPM's copy of the
    file, which starts it in the upper left half only and so never shows the last row and column;
    here every place is equally likely.
    """

    paper: ClassVar[str] = "arXiv:2205.10063"
    counts: ClassVar[Counts] = "units"

    ratio: Ratio = 0.75
    window: Annotated[
        str, Knob("one patch of every 2 x 2, or one square", choices=("cells", "square"))
    ] = "cells"
    secondary: Annotated[
        float, Knob("share of the kept patches hidden by a second mask", 0, 1, 0.05)
    ] = 0.0

    def __post_init__(self) -> None:
        """Check the knobs; three of four is all that can be drawn.

        Raises:
            BadInput: another ratio than 0.75.
        """
        super().__post_init__()
        if self.ratio != 0.75:
            raise BadInput(
                f"uniform: ratio is {self.ratio}, but one patch of every 2 x 2 is kept, so it must "
                f"be 0.75; for another ratio take grid(ratio={self.ratio})."
            )

    @property
    def promise(self) -> Counts:
        """Free with secondary masking, which hides more than the ratio says."""
        return "free" if self.secondary else "units"

    def draw(self, grid: Grid, noise: Noise, maps: Maps) -> Drawn:
        """Keep a quarter, then hide some of it again."""
        keep = self._cells if self.window == "cells" else self._square
        hidden = ~keep(grid, noise).reshape(noise.count, -1)
        if not self.secondary:
            return hidden.reshape(-1, *grid.shape)
        kept = grid.size - np.count_nonzero(hidden, axis=1)
        counts = np.array([rounded(self.secondary, int(n)) for n in kept])
        keys = noise.bits(grid.size, SECONDARY_STREAM).astype(np.uint64)
        more = hide_lowest(keys | hidden.astype(np.uint64) << np.uint64(32), counts)
        return (hidden | more).reshape(-1, *grid.shape), hidden.reshape(-1, 1, *grid.shape)

    def _cells(self, grid: Grid, noise: Noise) -> Bools:
        planes, rows, cols = grid.frames or 1, -(-grid.rows // 2), -(-grid.cols // 2)
        chosen = noise.bits(planes * rows * cols) >> np.uint32(30)  # one of four
        kept = chosen[..., None] == np.arange(4, dtype=np.uint32)
        laid = kept.reshape(noise.count, planes, rows, cols, 2, 2).swapaxes(3, 4)
        return laid.reshape(-1, planes, 2 * rows, 2 * cols)[:, :, : grid.rows, : grid.cols]

    def _square(self, grid: Grid, noise: Noise) -> Bools:
        planes, (height, width) = grid.frames or 1, _half(grid.rows, grid.cols)
        place = noise.uniform(2 * planes).reshape(noise.count, planes, 2, 1)
        top = np.floor(place[:, :, 0] * (grid.rows - height + 1))
        left = np.floor(place[:, :, 1] * (grid.cols - width + 1))
        rows, cols = np.arange(grid.rows), np.arange(grid.cols)
        lines = (rows >= top) & (rows < top + height)
        columns = (cols >= left) & (cols < left + width)
        return lines[..., :, None] & columns[..., None, :]


def _half(rows: int, cols: int) -> tuple[int, int]:
    """Return height and width of about a quarter of the cells, half of each side if they can be."""
    height = max(1, (rows + 1) // 2)
    width = min(cols, max(1, (rows * cols + 2 * height) // (4 * height)))
    return min(rows, max(1, (rows * cols + 2 * width) // (4 * width))), width
