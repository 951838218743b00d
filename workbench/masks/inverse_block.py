"""Show rectangles and hide everything else (data2vec 2.0)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from workbench.masks.boxes import Rule, place
from workbench.masks.lattice import Grid
from workbench.masks.strategy import Drawn, Maps, Ratio, Strategy
from workbench.params import Knob
from workbench.seeds import Noise


@dataclass(frozen=True, kw_only=True)
class InverseBlock(Strategy):
    """Hide exactly floor(ratio * n + 0.5) patches; what stays visible is a union of rectangles.

    The idea is that of Baevski et al., data2vec 2.0 (inverse block masking: squares of 3 x 3
    patches); the rectangles here are drawn by the rule of `block`, which this is the inverse of.
    """

    paper: ClassVar[str] = "arXiv:2212.07525"
    flat: ClassVar[bool] = True
    chunk_cells: ClassVar[int] = 1 << 20

    ratio: Ratio = 0.75
    min_patches: Annotated[
        int, Knob("smallest area of a visible rectangle", 1, 1 << 20, 1, soft_maximum=64)
    ] = 9
    min_aspect: Annotated[float, Knob("narrowest rectangle, height / width", 0.01, 1, 0.05)] = 0.3

    def draw(self, grid: Grid, noise: Noise, maps: Maps) -> Drawn:
        """Place the visible rectangles on all images in step."""
        rule = Rule(self.min_patches, self.min_aspect, strict=False)
        return ~place(grid, noise, grid.size - grid.count(self.ratio), rule)
