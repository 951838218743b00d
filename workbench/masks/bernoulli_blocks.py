"""Hide blocks by independent coin flips (MIC)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from workbench.masks.lattice import Grid
from workbench.masks.strategy import Counts, Drawn, Maps, Ratio, Strategy
from workbench.params import Knob
from workbench.seeds import Noise


@dataclass(frozen=True, kw_only=True)
class BernoulliBlocks(Strategy):
    """Hide each of n blocks with the probability `ratio`, whatever happens to the others.

    The count is free: the realised ratio has the mean `ratio` and the variance
    ratio * (1 - ratio) / n. The grid holds round(rows / unit) x round(cols / unit) blocks, at least
    one; where a side is no multiple of `unit` the blocks are stretched to cover it.

    Hoyer et al., MIC; official file `seg/mmseg/models/utils/masking_transforms.py` (blocks of 64
    pixels, so `unit=4` at patch 16). Its fill is the mean of the data set, since it multiplies the
    normalised picture.
    """

    paper: ClassVar[str] = "arXiv:2212.01322"
    counts: ClassVar[Counts] = "free"

    ratio: Ratio = 0.7
    unit: Annotated[int, Knob("edge of a block in patches", 1, 1 << 12, 1, soft_maximum=8)] = 4

    def draw(self, grid: Grid, noise: Noise, maps: Maps) -> Drawn:
        """Flip a coin a block, then enlarge to the nearest block."""
        sides = (grid.rows, grid.cols)
        blocks = [max(1, (2 * side + self.unit) // (2 * self.unit)) for side in sides]
        planes = grid.frames or 1
        coins = noise.uniform(planes * blocks[0] * blocks[1]) < self.ratio
        rows, cols = (np.arange(side) * n // side for side, n in zip(sides, blocks, strict=True))
        coarse = coins.reshape(noise.count, planes, *blocks)
        return coarse[:, :, rows[:, None], cols].reshape(-1, *grid.shape)
