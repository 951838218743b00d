"""Hide free-form strokes, as if scribbled by hand (after PEEKABOO's irregular masks)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.masks.lattice import Grid
from workbench.masks.ranking import hide_lowest
from workbench.masks.strategy import Drawn, Maps, Ratio, Strategy
from workbench.params import Knob
from workbench.seeds import Noise

Single = NDArray[np.float32]
STEP = 0.5  # patches between two dabs of the brush; below 1, so that a stroke has no holes
TURN_STREAM = 1


@dataclass(frozen=True, kw_only=True)
class Scribble(Strategy):
    """Hide exactly floor(ratio * n + 0.5) patches under a brush that wanders over the picture.

    The brush turns a little at every step and is reflected at the border. Where the strokes end
    before the count is reached, they grow wider. Patches under one stroke are connected (king's
    moves); several strokes grow at the same time.

    The published masks are a folder of ready pictures (Zunair and Hamza, PEEKABOO); these are made
    afresh.
    """

    paper: ClassVar[str] = "arXiv:2407.17628"
    flat: ClassVar[bool] = True
    chunk_cells: ClassVar[int] = 1 << 16

    ratio: Ratio = 0.4
    width: Annotated[float, Knob("width of the brush in patches", 1.5, 64, 0.5, None, 6)] = 2.0
    strokes: Annotated[int, Knob("number of strokes", 1, 32, 1, soft_maximum=8)] = 1
    wobble: Annotated[float, Knob("turn a step, in radians", 0, 3, 0.05, None, 1)] = 0.35
    length: Annotated[float, Knob("longest stroke, in rows + columns", 0.1, 8, 0.1, None, 4)] = 2.0

    def draw(self, grid: Grid, noise: Noise, maps: Maps) -> Drawn:
        """Rank patches by the moment the brush first reaches them, then by their distance."""
        steps = int(np.ceil(self.length * (grid.rows + grid.cols) / STEP))
        count = grid.count(self.ratio)
        down, across = self._paths(grid, noise, steps)
        rank = np.full((noise.count, grid.rows, grid.cols), np.inf, np.float32)
        nearest = rank.copy()
        rows, cols = (np.arange(side, dtype=np.float32) for side in (grid.rows, grid.cols))
        reach = np.float32((self.width / 2) ** 2)
        for step in range(steps):
            for stroke in range(self.strokes):
                far = (rows - down[:, stroke, step, None])[:, :, None] ** 2
                far = far + (cols - across[:, stroke, step, None])[:, None, :] ** 2
                np.minimum(nearest, far, out=nearest)
                moment = np.float32(step) + far * np.float32(0.9 / reach)
                np.minimum(rank, np.where(far <= reach, moment, np.inf), out=rank)
            if step % 16 == 0 and bool((np.isfinite(rank).sum(axis=(1, 2)) >= count).all()):
                break
        rank = np.where(np.isfinite(rank), rank, np.float32(steps) + nearest)
        return hide_lowest(rank.reshape(noise.count, -1), count).reshape(-1, *grid.shape)

    def _paths(self, grid: Grid, noise: Noise, steps: int) -> tuple[Single, Single]:
        """Return the brush's rows and columns, [images, strokes, steps], in cells."""
        shape = (noise.count, self.strokes, steps)
        start = noise.uniform(3 * self.strokes).reshape(noise.count, self.strokes, 3, 1)
        turn = noise.uniform(self.strokes * steps, TURN_STREAM).reshape(shape)
        angle = 2 * np.pi * start[:, :, 2] + np.cumsum((2 * turn - 1) * self.wobble, axis=2)
        down = start[:, :, 0] * grid.rows + STEP * np.cumsum(np.sin(angle), axis=2)
        across = start[:, :, 1] * grid.cols + STEP * np.cumsum(np.cos(angle), axis=2)
        return _folded(down, grid.rows), _folded(across, grid.cols)


def _folded(path: NDArray[np.float64], side: int) -> Single:
    """Reflect a path at 0 and `side`, and count from the centre of the first cell."""
    return (side - np.abs(path % (2 * side) - side) - 0.5).astype(np.float32)
