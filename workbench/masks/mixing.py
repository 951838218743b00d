"""Hide the units that another picture of the batch fills (MixMAE)."""

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import numpy as np

from workbench.masks.lattice import Grid
from workbench.masks.ranking import hide_lowest
from workbench.masks.strategy import Counts, Drawn, Maps, Ratio, Strategy
from workbench.params import Knob
from workbench.seeds import Noise


@dataclass(frozen=True, kw_only=True)
class Mixing(Strategy):
    """Hide floor(ratio * n + 0.5) of n units, the same for all images of a step.

    One mask a batch: it depends on seed and step alone. The hidden patches of image i show those of
    its partner, image b - 1 - i of a batch of b, whose own mask is the complement `~mask`: both are
    predicted from one mixed picture, and the two losses cover every patch once. In an odd batch the
    middle image is its own partner and nothing of it is hidden. The ratio is exact in units of
    `unit` x `unit` patches, cut at the lower and right edge.

    Liu et al., MixMIM / MixMAE; described after open-mmlab/mmpretrain
    `mmpretrain/models/selfsup/mixmim.py` (32-pixel units, so `unit=2` at patch 16).
    """

    paper: ClassVar[str] = "arXiv:2205.13137"
    counts: ClassVar[Counts] = "units"

    ratio: Ratio = 0.5
    unit: Annotated[int, Knob("edge of a unit in patches", 1, 1 << 12, 1, soft_maximum=8)] = 2

    def draw(self, grid: Grid, noise: Noise, maps: Maps) -> Drawn:
        """Draw for image 0 of the step and repeat it."""
        unit = min(self.unit, max(grid.rows, grid.cols))
        rows, cols = -(-grid.rows // unit), -(-grid.cols // unit)
        coarse = replace(grid, rows=rows, cols=cols)
        shared = Noise(noise.seed, noise.step)
        hidden = hide_lowest(shared.bits(coarse.size), coarse.count(self.ratio))
        wide = np.repeat(hidden.reshape(coarse.shape), unit, axis=-1)[..., : grid.cols]
        one = np.repeat(wide, unit, axis=-2)[..., : grid.rows, :]
        return np.repeat(one[None], noise.count, axis=0)
