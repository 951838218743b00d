"""Keep the strongest patches of colour noise (ColorMAE)."""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput
from workbench.masks.fields import shaped
from workbench.masks.lattice import Grid
from workbench.masks.ranking import hide_lowest
from workbench.masks.strategy import Drawn, Maps, Ratio, Strategy
from workbench.params import Knob
from workbench.seeds import Noise

COLORS = ("green", "red", "blue", "purple", "white")


@dataclass(frozen=True, kw_only=True)
class ColorNoise(Strategy):
    """Hide the floor(ratio * n + 0.5) weakest patches of filtered white noise W.

    With G(s) a Gaussian blur of s patches: red = G(sigma) W, blue = W - red, green =
    (G(sigma_low) - G(sigma_high)) W, purple = W - green. Red keeps large islands, blue spreads
    the visible patches, green lies between. The blur's gain is exp(-2 pi^2 s^2 f^2).

    Hinojosa et al., ColorMAE; official file `models/utils/masking_generator.py`, which cuts its
    masks out of ready pattern files; the sigmas behind them are not published.
    """

    paper: ClassVar[str] = "arXiv:2407.13036"
    chunk_cells: ClassVar[int] = 1 << 17
    always_print: ClassVar[tuple[str, ...]] = ("ratio", "color")

    ratio: Ratio = 0.75
    color: Annotated[str, Knob("colour of the noise", choices=COLORS)] = "green"
    sigma: Annotated[float, Knob("blur of red and blue in patches", 0, 16, 0.1, None, 4)] = 1.0
    sigma_low: Annotated[float, Knob("weaker blur of green, purple", 0, 16, 0.1, None, 4)] = 0.5
    sigma_high: Annotated[float, Knob("stronger blur of green, purple", 0, 16, 0.1, None, 8)] = 2.0

    def __post_init__(self) -> None:
        """Check the knobs and the order of the two blurs."""
        super().__post_init__()
        if self.sigma_low >= self.sigma_high:
            raise BadInput(
                f"color_noise: sigma_low is {self.sigma_low} and sigma_high {self.sigma_high}, but "
                "sigma_low must be the smaller one; take for example 0.5 and 2."
            )

    def draw(self, grid: Grid, noise: Noise, maps: Maps) -> Drawn:
        """Filter, then hide the weakest."""
        two = self.color in ("green", "purple")
        reach = self.sigma_high if two else self.sigma
        margin = 0 if self.color == "white" else math.ceil(8 * reach)
        field = shaped(grid, noise, self._gain, margin)
        return hide_lowest(field, grid.count(self.ratio)).reshape(-1, *grid.shape)

    def _gain(self, frequency: NDArray[np.float64]) -> NDArray[np.float64]:
        def blur(sigma: float) -> NDArray[np.float64]:
            return np.exp(-2 * (np.pi * sigma * frequency) ** 2)

        if self.color == "white":
            return np.ones_like(frequency)
        if self.color in ("red", "blue"):
            return blur(self.sigma) if self.color == "red" else 1 - blur(self.sigma)
        green = blur(self.sigma_low) - blur(self.sigma_high)
        return green if self.color == "green" else 1 - green
