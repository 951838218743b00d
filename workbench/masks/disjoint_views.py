"""Show every view patches that no other view shows (LUT)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from workbench.errors import BadInput
from workbench.masks.lattice import Grid, rounded
from workbench.masks.strategy import Counts, Drawn, Maps, Ratio, Strategy
from workbench.seeds import Noise


@dataclass(frozen=True, kw_only=True)
class DisjointViews(Strategy):
    """Hide floor(ratio * n + 0.5) of the n patches of each view; no patch is visible in two views.

    A frame of the grid is a view of the same picture. All views share one random order of the
    patches: the first shows the first patches of it, the second the next ones, and so on. The ratio
    is exact in units of a view.

    Kim et al., LUT; official file `models/models_lut.py` (two views).

    Raises:
        BadInput: on sampling, where the views together would show more patches than there are.
    """

    paper: ClassVar[str] = "arXiv:2310.13593"
    counts: ClassVar[Counts] = "units"
    frames: ClassVar[str] = "view"

    ratio: Ratio = 0.75

    def draw(self, grid: Grid, noise: Noise, maps: Maps) -> Drawn:
        """Deal the patches out in their order."""
        views, plane = grid.frames or 1, grid.rows * grid.cols
        shown = plane - rounded(self.ratio, plane)
        if views * shown > plane:
            raise BadInput(
                f"disjoint_views: {views} views that show {shown} patches each need "
                f"{views * shown}, but a view has {plane}; raise the ratio to "
                f"{np.ceil(100 * (1 - 1 / views)) / 100:g} or more, or take fewer views."
            )
        order = np.argsort(noise.bits(plane), axis=1)
        hidden = np.ones((noise.count, views, plane), bool)
        for view in range(views):
            chosen = order[:, view * shown : (view + 1) * shown]
            np.put_along_axis(hidden[:, view], chosen, False, axis=1)
        return hidden.reshape(-1, *grid.shape)
