"""Hide whole bands of a multi-band picture."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from workbench.masks.lattice import Grid, rounded
from workbench.masks.ranking import hide_lowest
from workbench.masks.strategy import Counts, Drawn, Maps, Ratio, Strategy
from workbench.seeds import Noise


@dataclass(frozen=True, kw_only=True)
class Channels(Strategy):
    """Hide floor(ratio * b + 0.5) of b bands wholly and show the others wholly.

    A frame of the grid is a band (or a modality that is missing), so that a hidden band can be told
    from the others alone. The ratio is exact in units of a band; every set of bands is equally
    likely. The same patches in every band, as SatVision-TOA hides them, are `tubes`.

    After Robinet et al., BM-MAE, where modalities are missing, and the bands of SatVision-TOA
    (arXiv:2411.17000).
    """

    paper: ClassVar[str] = "arXiv:2505.00568"
    counts: ClassVar[Counts] = "units"
    frames: ClassVar[str] = "band"

    ratio: Ratio = 0.5

    def draw(self, grid: Grid, noise: Noise, maps: Maps) -> Drawn:
        """Hide the bands with the lowest noise."""
        bands = grid.frames or 1
        hidden = hide_lowest(noise.bits(bands), rounded(self.ratio, bands))
        return np.repeat(hidden, grid.size // bands, axis=1).reshape(-1, *grid.shape)
