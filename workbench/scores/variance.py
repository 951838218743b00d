"""How much the colours of a patch differ."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.masks import Grid
from workbench.scores.areas import patch_means
from workbench.scores.context import Context
from workbench.scores.score import Images, Score


@dataclass(frozen=True, kw_only=True)
class Variance(Score):
    """Variance of the pixels of a patch, mean of the three channels in [0, 1] RGB."""

    def maps(self, images: Images, grid: Grid, context: Context) -> NDArray[np.float64]:
        """Mean of squares minus square of the mean, a channel."""
        total = np.zeros((len(images), grid.rows, grid.cols))
        for channel in images.transpose(1, 0, 2, 3).astype(np.float64):
            mean = patch_means(channel, grid)
            total += patch_means(channel**2, grid) - mean**2
        return np.maximum(total / 3, 0)
