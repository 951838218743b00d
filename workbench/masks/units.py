"""Hide coarse units of several patches (SimMIM)."""

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Annotated, ClassVar

import numpy as np

from workbench.masks.lattice import Grid
from workbench.masks.ranking import hide_lowest
from workbench.masks.strategy import Counts, Drawn, Maps, Ratio, Strategy
from workbench.params import Knob
from workbench.seeds import Noise


@dataclass(frozen=True, kw_only=True)
class Units(Strategy):
    """Hide floor(ratio * n + 0.5) of n units of `unit` x `unit` patches, every set equally likely.

    Units at the lower and right edge are cut where the grid is no multiple of `unit`. `legacy`
    rounds the number of units up, as the official code does.

    Xie et al., SimMIM; official file `data/data_simmim.py` (`MaskGenerator`: 32-pixel units, so
    `unit=2` at patch 16 and `unit=8` at patch 4).
    """

    paper: ClassVar[str] = "arXiv:2111.09886"
    counts: ClassVar[Counts] = "units"

    ratio: Ratio = 0.6
    unit: Annotated[int, Knob("edge of a unit in patches", 1, 1 << 12, 1, soft_maximum=8)] = 2
    legacy: Annotated[bool, Knob("round the number of units up, as SimMIM does")] = False

    def draw(self, grid: Grid, noise: Noise, maps: Maps) -> Drawn:
        """Hide units with the lowest noise, then enlarge and cut to the grid."""
        unit = min(self.unit, max(grid.rows, grid.cols))  # a longer one would only be cut off
        rows, cols = -(-grid.rows // unit), -(-grid.cols // unit)
        coarse = replace(grid, rows=rows, cols=cols)
        count = coarse.count(self.ratio)
        if self.legacy:
            count = math.ceil(Fraction(repr(self.ratio)) * coarse.size)
        hidden = hide_lowest(noise.bits(coarse.size), count).reshape(-1, *coarse.shape)
        wide = np.repeat(hidden, unit, axis=-1)[..., : grid.cols]
        return np.repeat(wide, unit, axis=-2)[..., : grid.rows, :]
