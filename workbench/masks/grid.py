"""Hide the same number of patches in every small square of the grid (UM-MAE's uniform sampling)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from workbench.masks.lattice import Grid
from workbench.masks.ranking import hide_lowest
from workbench.masks.strategy import Counts, Drawn, Maps, Ratio, Strategy
from workbench.params import Knob
from workbench.seeds import Noise


@dataclass(frozen=True, kw_only=True)
class Uniform(Strategy):
    """Hide floor(ratio * cell^2 + 0.5) patches of every square of `cell` x `cell` patches.

    With `place="random"` each square chooses its own patches (Li et al., UM-MAE, official file
    `mask_transform.py`, which knows one visible patch of 2 x 2 only); with "same" all squares of
    an image choose the same ones, a regular lattice (the grid sampling of the MAE paper). Squares
    are cut at the lower and right edge.
    """

    paper: ClassVar[str] = "arXiv:2205.10063"
    counts: ClassVar[Counts] = "units"

    ratio: Ratio = 0.75
    cell: Annotated[int, Knob("edge of a square in patches", 1, 64, 1, soft_maximum=8)] = 2
    place: Annotated[str, Knob("which patches of a square", choices=("random", "same"))] = "random"

    def draw(self, grid: Grid, noise: Noise, maps: Maps) -> Drawn:
        """Hide within each square, then lay the squares out and cut them to the grid."""
        planes, edge = grid.frames or 1, self.cell
        rows, cols = -(-grid.rows // edge), -(-grid.cols // edge)
        squares = planes * rows * cols if self.place == "random" else 1
        count = Grid(edge, edge).count(self.ratio)
        bits = noise.bits(squares * edge * edge).reshape(-1, edge * edge)
        hidden = hide_lowest(bits, count).reshape(noise.count, -1, 1, 1, edge, edge)
        if self.place == "random":
            hidden = hidden.reshape(noise.count, planes, rows, cols, edge, edge)
        else:
            hidden = hidden.repeat(planes, 1).repeat(rows, 2).repeat(cols, 3)
        laid = hidden.swapaxes(3, 4).reshape(noise.count, planes, rows * edge, cols * edge)
        return laid[:, :, : grid.rows, : grid.cols].reshape(-1, *grid.shape)
