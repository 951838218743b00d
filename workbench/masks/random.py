"""Hide patches independently of each other (MAE)."""

from dataclasses import dataclass
from typing import ClassVar

from workbench.masks.lattice import Grid
from workbench.masks.ranking import hide_lowest
from workbench.masks.strategy import Drawn, Maps, Ratio, Strategy
from workbench.seeds import Noise


@dataclass(frozen=True, kw_only=True)
class Random(Strategy):
    """Hide exactly floor(ratio * n + 0.5) patches, every set equally likely.

    He et al., Masked Autoencoders Are Scalable Vision Learners; official file `models_mae.py`
    (`random_masking`), which keeps int(n * (1 - ratio)) instead.
    """

    paper: ClassVar[str] = "arXiv:2111.06377"
    chunk_cells: ClassVar[int] = 1 << 16

    ratio: Ratio = 0.75

    def draw(self, grid: Grid, noise: Noise, maps: Maps) -> Drawn:
        """Hide the patches with the lowest noise."""
        hidden = hide_lowest(noise.bits(grid.size), grid.count(self.ratio))
        return hidden.reshape(-1, *grid.shape)
