"""Parts: patches that look alike to a frozen encoder."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.masks import Grid
from workbench.params import Knob
from workbench.scores.context import Context
from workbench.scores.grouping import kmeans
from workbench.scores.looking import features, onto
from workbench.scores.score import Images, Kind, Score


@dataclass(frozen=True, kw_only=True)
class Parts(Score):
    """Labels 0 to k - 1 by k-means on the encoder's tokens, each picture for itself.

    Tokens are centred on their picture's mean and scaled to length 1; their place is added with
    weight `place` (as coordinates from 0 to 1), so that parts hang together.
    """

    paper: ClassVar[str] = "arXiv:2206.10207"
    kind: ClassVar[Kind] = "labels"
    wants: ClassVar[tuple[str, ...]] = ("model",)

    k: Annotated[int, Knob("number of parts", 1, 256, 1, None, 16)] = 7
    place: Annotated[float, Knob("weight of a patch's place", 0, 100, 0.1, None, 4)] = 1.0

    def maps(self, images: Images, grid: Grid, context: Context) -> NDArray[np.floating[Any]]:
        """Cluster on the model's grid."""
        tokens, own = features(images, context)
        down, across = np.mgrid[: own.rows, : own.cols].reshape(2, -1) + 0.5
        place = self.place * np.stack([down / own.rows, across / own.cols], axis=1)
        found = [kmeans(np.hstack([each, place]), self.k) for each in tokens]
        labels = np.stack(found).reshape(-1, own.rows, own.cols)
        return onto(labels.astype(np.float64), grid, labels=True)
