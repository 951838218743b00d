"""Objects: the label map of a drawn scene, or what stands out to a frozen encoder."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.masks import Grid
from workbench.params import Knob
from workbench.scores.areas import object_labels
from workbench.scores.context import Context
from workbench.scores.grouping import discovered
from workbench.scores.looking import features, onto
from workbench.scores.score import Images, Kind, Score


@dataclass(frozen=True, kw_only=True)
class Objects(Score):
    """Labels from 1 on, 0 = background: the largest known object of a patch, if it is covered.

    Where nothing is known, objects are discovered as in TokenCut (Wang et al.): the normalised cut
    of the graph of the encoder's tokens, again and again. How well that works depends on the
    encoder; it was made for self-distilled ones (DINO).
    """

    paper: ClassVar[str] = "arXiv:2202.11539"
    kind: ClassVar[Kind] = "labels"
    wants: ClassVar[tuple[str, ...]] = ("truth", "model")

    cover: Annotated[float, Knob("share of a patch that known objects cover", 0.01, 1, 0.05)] = 0.25
    most: Annotated[int, Knob("most objects to discover", 1, 32, 1, None, 8)] = 3
    tau: Annotated[float, Knob("cosine from which patches are tied", -1, 1, 0.05)] = 0.2

    def maps(self, images: Images, grid: Grid, context: Context) -> NDArray[np.floating[Any]]:
        """Take what is known, or discover on the model's grid."""
        if context.labels is not None:
            return object_labels(context.labels, grid, self.cover)
        tokens, own = features(images, context)
        shape = (own.rows, own.cols)
        found = [discovered(each, shape, self.tau, self.most) for each in tokens]
        return onto(np.stack(found), grid, labels=True)
