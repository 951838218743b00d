"""Hide the valleys of a random landscape with a power-law spectrum."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.masks.fields import shaped
from workbench.masks.lattice import Grid
from workbench.masks.ranking import hide_lowest
from workbench.masks.strategy import Drawn, Maps, Ratio, Strategy
from workbench.params import Knob
from workbench.seeds import Noise


@dataclass(frozen=True, kw_only=True)
class RandomField(Strategy):
    """Hide the floor(ratio * n + 0.5) lowest patches of a field whose power falls as f^-slope.

    `slope=0` is white noise, every set equally likely; 2 is about as clumped as natural images; 4
    and more hides one or two smooth regions. The shape has no preferred size, unlike
    `color_noise`. The field is twice as long as the grid, so opposite edges are not neighbours.
    """

    chunk_cells: ClassVar[int] = 1 << 17

    ratio: Ratio = 0.75
    slope: Annotated[float, Knob("fall of the power with frequency", 0, 12, 0.25, None, 6)] = 3.0

    def draw(self, grid: Grid, noise: Noise, maps: Maps) -> Drawn:
        """Shape the noise, then hide the lowest."""
        field = shaped(grid, noise, self._gain, max(grid.shape))
        return hide_lowest(field, grid.count(self.ratio)).reshape(-1, *grid.shape)

    def _gain(self, frequency: NDArray[np.float64]) -> NDArray[np.float64]:
        lowest = frequency[frequency > 0].min(initial=1)
        # relative to the lowest frequency, so that a steep slope stays within single precision;
        # the constant part moves all patches alike and is dropped
        return np.where(frequency > 0, np.maximum(frequency, lowest) / lowest, np.inf) ** (
            -self.slope / 2
        )
