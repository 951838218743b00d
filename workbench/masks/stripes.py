"""Hide evenly spaced rows, columns or diagonals."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from workbench.masks.lattice import Grid
from workbench.masks.strategy import Counts, Drawn, Maps, Ratio, Strategy
from workbench.params import Knob
from workbench.seeds import Noise


@dataclass(frozen=True, kw_only=True)
class Stripes(Strategy):
    """Hide floor(ratio * n + 0.5) of n stripes, as evenly spaced as whole stripes allow.

    A stripe is `width` patches wide; the seed only shifts the pattern. The last stripe is cut at
    the edge, and diagonal stripes differ in length. All frames of a clip have the same stripes.
    """

    counts: ClassVar[Counts] = "units"

    ratio: Ratio = 0.5
    width: Annotated[int, Knob("width of a stripe in patches", 1, 1 << 12, 1, soft_maximum=8)] = 1
    direction: Annotated[
        str, Knob("where the stripes run", choices=("rows", "columns", "diagonal"))
    ] = "rows"

    def draw(self, grid: Grid, noise: Noise, maps: Maps) -> Drawn:
        """Spread the hidden stripes evenly over a ring of stripes and turn it by the seed."""
        down, across = np.indices((grid.rows, grid.cols))
        lines = {"rows": down, "columns": across, "diagonal": down + across}[self.direction]
        stripe = lines // self.width
        n = int(stripe.max()) + 1
        count = Grid(n, 1).count(self.ratio)
        ring = np.arange(n)
        even = (ring + 1) * count // n > ring * count // n
        turn = (noise.uniform(1) * n).astype(np.int64)
        plane = even[(ring + turn) % n][:, stripe]
        planes = np.repeat(plane[:, None], grid.frames or 1, axis=1)
        return planes.reshape(-1, *grid.shape)
