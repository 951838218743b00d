"""How strong the edges in a patch are."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.masks import Grid
from workbench.scores.areas import grey, patch_means
from workbench.scores.context import Context
from workbench.scores.score import Images, Score


@dataclass(frozen=True, kw_only=True)
class Edges(Score):
    """Mean length of the brightness gradient (Sobel), in brightness a pixel.

    The picture continues beyond its border with its border pixels.
    """

    def maps(self, images: Images, grid: Grid, context: Context) -> NDArray[np.float64]:
        """Filter, take the length, average over patches."""
        wide = np.pad(grey(images), ((0, 0), (1, 1), (1, 1)), "edge")
        down = wide[:, 2:] - wide[:, :-2]
        right = wide[:, :, 2:] - wide[:, :, :-2]
        down = (down[:, :, :-2] + 2 * down[:, :, 1:-1] + down[:, :, 2:]) / 8
        right = (right[:, :-2] + 2 * right[:, 1:-1] + right[:, 2:]) / 8
        return patch_means(np.hypot(down, right), grid)
