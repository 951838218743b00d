"""Hide rectangles until the ratio is reached (BEiT)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from workbench.masks.boxes import Rule, place
from workbench.masks.lattice import Grid
from workbench.masks.strategy import Counts, Drawn, Maps, Ratio, Strategy
from workbench.params import Knob
from workbench.seeds import Noise


@dataclass(frozen=True, kw_only=True)
class Block(Strategy):
    """Hide overlapping rectangles, exactly floor(ratio * n + 0.5) patches in all.

    The area is uniform from `min_patches` to what is missing, the aspect log-uniform from
    `min_aspect` to its inverse. A rectangle is taken when it adds at least one and at most the
    missing patches; after ten refused in a row, what is missing becomes one compact piece.
    Rectangles lie inside the grid, so the centre is hidden far more often than the corners.

    `legacy` is the official generator's distribution: no rectangle as long as the grid, and masks
    that give up stay short (two thirds have the full count at 75 of 196).

    Bao et al., BEiT; official file `beit/masking_generator.py`.
    """

    paper: ClassVar[str] = "arXiv:2106.08254"
    flat: ClassVar[bool] = True
    chunk_cells: ClassVar[int] = 1 << 20

    ratio: Ratio = 0.4
    min_patches: Annotated[
        int, Knob("smallest area of a rectangle", 1, 1 << 20, 1, soft_maximum=64)
    ] = 16
    min_aspect: Annotated[float, Knob("narrowest rectangle, height / width", 0.01, 1, 0.05)] = 0.3
    legacy: Annotated[bool, Knob("the official generator: the count may fall short")] = False

    @property
    def promise(self) -> Counts:
        """Free in the official generator."""
        return "free" if self.legacy else "exact"

    def draw(self, grid: Grid, noise: Noise, maps: Maps) -> Drawn:
        """Place rectangles on all images in step."""
        rule = Rule(self.min_patches, self.min_aspect, self.legacy)
        return place(grid, noise, grid.count(self.ratio), rule)
