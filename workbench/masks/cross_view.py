"""Hide patches of the first view and show the others whole (CroCo)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from workbench.masks.lattice import Grid, rounded
from workbench.masks.ranking import hide_lowest
from workbench.masks.strategy import Counts, Drawn, Maps, Ratio, Strategy
from workbench.seeds import Noise


@dataclass(frozen=True, kw_only=True)
class CrossView(Strategy):
    """Hide floor(ratio * n + 0.5) of the n patches of frame 0, every set equally likely.

    A frame of the grid is a view of the same scene; all but the first are shown whole, so that what
    is hidden can be found there. The ratio is that of frame 0 alone.

    Weinzaepfel et al., CroCo; official file `models/masking.py`, which hides int(ratio * n).
    """

    paper: ClassVar[str] = "arXiv:2210.10716"
    counts: ClassVar[Counts] = "units"
    frames: ClassVar[str] = "view"

    ratio: Ratio = 0.9

    def draw(self, grid: Grid, noise: Noise, maps: Maps) -> Drawn:
        """Hide patches of the first view only."""
        plane = grid.rows * grid.cols
        hidden = np.zeros((noise.count, grid.frames or 1, plane), bool)
        hidden[:, 0] = hide_lowest(noise.bits(plane), rounded(self.ratio, plane))
        return hidden.reshape(-1, *grid.shape)
