"""Hide every other square, as on a chess board."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from workbench.masks.lattice import Grid
from workbench.masks.strategy import Counts, Drawn, Maps, Strategy
from workbench.params import Knob
from workbench.seeds import Noise


@dataclass(frozen=True, kw_only=True)
class Checker(Strategy):
    """Hide every other square of `cell` x `cell` patches; every hidden one has visible neighbours.

    No ratio: half the patches, to within one square. `corner` says whether the upper left square
    is hidden; "random" lets the seed decide, so that each patch is hidden in half of the images.
    Squares are cut at the lower and right edge, and all frames of a clip are alike.
    """

    counts: ClassVar[Counts] = "free"

    cell: Annotated[int, Knob("edge of a square in patches", 1, 1 << 12, 1, soft_maximum=8)] = 1
    corner: Annotated[
        str, Knob("the upper left square", choices=("random", "hidden", "visible"))
    ] = "random"

    def draw(self, grid: Grid, noise: Noise, maps: Maps) -> Drawn:
        """Colour the board, then swap the colours where the seed says so."""
        down, across = np.indices((grid.rows, grid.cols)) // self.cell
        odd = ((down + across) % 2).astype(bool)
        first = np.full((noise.count, 1, 1, 1), self.corner == "hidden")
        if self.corner == "random":
            first = (noise.uniform(1) < 0.5).reshape(first.shape)
        board = (odd ^ first).repeat(grid.frames or 1, axis=1)
        return board.reshape(-1, *grid.shape)
