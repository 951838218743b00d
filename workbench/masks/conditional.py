"""Hide patches of one modality at a time and show the others whole (UNITER)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from workbench.masks.lattice import Grid, rounded
from workbench.masks.ranking import hide_lowest
from workbench.masks.strategy import Counts, Drawn, Maps, Ratio, Strategy
from workbench.seeds import Noise

CHOICE_STREAM = 1


@dataclass(frozen=True, kw_only=True)
class Conditional(Strategy):
    """Hide floor(ratio * n + 0.5) of the n patches of one modality, which the seed chooses.

    A frame of the grid is a modality. The others stay whole, so that what is hidden is predicted
    under the condition of all that they tell; no image has two modalities masked. Every modality is
    equally likely, and every set of its patches. The ratio is that of the chosen modality alone.

    Chen et al., UNITER (15% of the words or of the image regions, never both).
    """

    paper: ClassVar[str] = "arXiv:1909.11740"
    counts: ClassVar[Counts] = "units"
    frames: ClassVar[str] = "modality"

    ratio: Ratio = 0.5

    def draw(self, grid: Grid, noise: Noise, maps: Maps) -> Drawn:
        """Choose a modality, then patches of it."""
        modalities, plane = grid.frames or 1, grid.rows * grid.cols
        hidden = np.zeros((noise.count, modalities, plane), bool)
        chosen = (noise.uniform(1, CHOICE_STREAM)[:, 0] * modalities).astype(np.int64)
        patches = hide_lowest(noise.bits(plane), rounded(self.ratio, plane))
        hidden[np.arange(noise.count), chosen] = patches
        return hidden.reshape(-1, *grid.shape)
