"""A map of the user's own: patches painted by hand, a kept file, or an array given by name."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput, shown
from workbench.masks import Grid
from workbench.masks.painted import cells
from workbench.params import Knob
from workbench.scores.areas import patch_means
from workbench.scores.context import Context, own_map
from workbench.scores.score import Images, Score


@dataclass(frozen=True, kw_only=True)
class Drawn(Score):
    """1 on the painted patches and 0 elsewhere, or the mean of a map over each patch.

    `map` is a name of `given`, or the id of a map that was kept on this machine; it never is a
    path, so that a link cannot make the program open a file.
    """

    wants: ClassVar[tuple[str, ...]] = ("map",)

    patches: Annotated[str, Knob("painted patches, such as 0-5,17")] = ""
    map: Annotated[str, Knob("name or id of a map, instead of painted patches")] = ""

    def __post_init__(self) -> None:
        """Check the knobs: one of the two."""
        super().__post_init__()
        if self.map and self.patches:
            raise BadInput(
                f"drawn: map is {shown(self.map)} and patches {shown(self.patches)}, but a map is "
                "drawn in one way; leave one of them out."
            )

    def maps(self, images: Images, grid: Grid, context: Context) -> NDArray[np.floating[Any]]:
        """Paint the patches, or bring the map to the grid."""
        if not self.map:
            painted = cells("patches", self.patches, grid.size).reshape(grid.rows, grid.cols)
            return np.repeat(painted[None].astype(np.float64), len(images), axis=0)
        return patch_means(own_map(self.map, len(images), context), grid)
