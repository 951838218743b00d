"""Superpixels: connected pieces of one colour."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.masks import Grid
from workbench.params import Knob
from workbench.scores.areas import commonest
from workbench.scores.context import Context
from workbench.scores.score import Images, Kind, Score


@dataclass(frozen=True, kw_only=True)
class Slic(Score):
    """About `segments` superpixels by scikit-image's SLIC; a patch bears its commonest label."""

    paper: ClassVar[str] = "doi:10.1109/TPAMI.2012.120"
    kind: ClassVar[Kind] = "labels"

    segments: Annotated[int, Knob("superpixels in the picture", 1, 4096, 1, None, 128)] = 36
    compactness: Annotated[
        float, Knob("even shape against even colour", 0.01, 1000, 1, None, 40)
    ] = 10.0

    def maps(self, images: Images, grid: Grid, context: Context) -> NDArray[np.floating[Any]]:
        """Segment each picture, then let patches vote."""
        from skimage.segmentation import slic

        found: list[NDArray[Any]] = [
            slic(
                picture.transpose(1, 2, 0).astype(np.float64),
                n_segments=self.segments,
                compactness=self.compactness,
                start_label=0,
                channel_axis=-1,
            )
            for picture in images
        ]
        return commonest(np.stack(found), grid)
