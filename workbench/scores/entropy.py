"""How many different grey levels a patch holds."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from workbench.masks import Grid
from workbench.params import Knob
from workbench.scores.areas import grey, patch_means
from workbench.scores.context import Context
from workbench.scores.score import Images, Score


@dataclass(frozen=True, kw_only=True)
class Entropy(Score):
    """Shannon entropy of a patch's grey levels in bits, from 0 (one level) to log2(levels)."""

    levels: Annotated[int, Knob("equal steps between black and white", 2, 256, 1, None, 64)] = 16

    def maps(self, images: Images, grid: Grid, context: Context) -> NDArray[np.float64]:
        """Share of each level in each patch, then -sum p log2 p."""
        steps = np.minimum((grey(images) * self.levels).astype(int), self.levels - 1)
        total = np.zeros((len(images), grid.rows, grid.cols))
        for level in np.unique(steps):
            share = patch_means((steps == level).astype(np.float64), grid)
            total -= np.where(share > 0, share * np.log2(np.maximum(share, 1e-300)), 0)
        return np.maximum(total, 0)
