"""Hide the same patches in every frame of a clip (VideoMAE)."""

from dataclasses import dataclass, replace
from typing import ClassVar

from workbench.masks.lattice import Grid
from workbench.masks.ranking import hide_lowest
from workbench.masks.strategy import Counts, Drawn, Maps, Ratio, Strategy
from workbench.seeds import Noise


@dataclass(frozen=True, kw_only=True)
class Tubes(Strategy):
    """Hide floor(ratio * n + 0.5) of the n patches of a frame, the same in all frames.

    A hidden patch stays hidden for the whole clip, so that it cannot be copied from a neighbouring
    frame. A frame of the grid is a slot of two video frames in the official code: 8 of them, of
    14 x 14. The ratio is exact in units of a tube.

    Tong et al., VideoMAE; official file `masking_generator.py`.
    """

    paper: ClassVar[str] = "arXiv:2203.12602"
    counts: ClassVar[Counts] = "units"
    frames: ClassVar[str] = "time"

    ratio: Ratio = 0.9

    def draw(self, grid: Grid, noise: Noise, maps: Maps) -> Drawn:
        """Hide patches of one frame and repeat it."""
        plane = replace(grid, frames=None)
        hidden = hide_lowest(noise.bits(plane.size), plane.count(self.ratio))
        return hidden[:, None].repeat(grid.frames or 1, axis=1).reshape(-1, *grid.shape)
