"""What every score shares: knobs, and one value a patch for a batch of pictures."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from workbench.masks import Grid
from workbench.registry import Member, Registry
from workbench.scores.context import Context

Images = NDArray[np.float32]
Kind = Literal["values", "labels"]


@dataclass(frozen=True, kw_only=True)
class Score(Member):
    """A way to look at a picture: frozen knobs and one `maps`.

    `kind` tells whether a map holds values that can be ranked or labels that can only be told
    apart. `wants` is what a score looks at beside the picture, the first that is there: "model" for
    a loaded model, "truth" for what is known of a drawn scene, "clip", "map". A picture gets the
    same map alone and in a batch, to the bit.
    """

    kind: ClassVar[Kind] = "values"
    wants: ClassVar[tuple[str, ...]] = ()
    described: ClassVar[tuple[str, ...]] = ("paper", "kind", "wants")

    def maps(self, images: Images, grid: Grid, context: Context) -> NDArray[np.floating[Any]]:
        """Return the maps, float [b, rows, cols].

        Args:
            images: float32 [b, 3, h, w] in [0, 1], of any size.
            grid: without frames.
            context: what there is beside the pictures.

        Raises:
            BadInput: something that the score needs is not there.
        """
        raise NotImplementedError


SCORES: Registry[Score] = Registry("workbench.scores", Score, "workbench.scores")
