"""How near things are: known of drawn scenes, or a map of the user's own."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput
from workbench.masks import Grid
from workbench.params import Knob
from workbench.scores.areas import patch_means
from workbench.scores.context import Context, own_map
from workbench.scores.score import Images, Score


@dataclass(frozen=True, kw_only=True)
class Depth(Score):
    """Nearness, 1 / depth, mean over a patch: high is near.

    Without `map` the exact depth of a drawn scene; depth 0 in a map means "not measured" and counts
    as infinitely far. With `inverse` the map holds nearness (disparity) already.
    """

    wants: ClassVar[tuple[str, ...]] = ("truth", "map")

    map: Annotated[str, Knob("name or id of a depth map")] = ""
    inverse: Annotated[bool, Knob("the map holds nearness already")] = False

    def maps(self, images: Images, grid: Grid, context: Context) -> NDArray[np.floating[Any]]:
        """Take what is known, or the user's map."""
        if self.map:
            depth = own_map(self.map, len(images), context)
            if self.inverse:
                return patch_means(depth, grid)
        elif context.depth is not None:
            depth = context.depth
        else:
            raise BadInput(
                "depth: nothing is known of the depth of this photo; take a drawn scene such as "
                'drawn-0, or give a map with --map NAME=FILE and depth(map="NAME").'
            )
        far = depth.astype(np.float64)
        return patch_means(np.where(far > 0, 1 / np.where(far > 0, far, 1), 0), grid)
