"""A grid of frequencies: the zero frequency stands in the middle, at rows // 2 and cols // 2."""

import numpy as np
from numpy.typing import NDArray

from workbench.masks.lattice import Grid
from workbench.seeds import Noise

Bools = NDArray[np.bool_]


def distance_squared(grid: Grid) -> NDArray[np.float64]:
    """Return how far each bin is from the zero frequency, squared, float64 [rows, cols].

    The distance is in cycles along the longer side of the picture; on a square picture that is the
    distance in bins, and it is exact.

    >>> distance_squared(Grid(4, 4, patch=1, domain="frequency"))[1].tolist()
    [5.0, 2.0, 1.0, 2.0]
    """
    longer = max(grid.rows, grid.cols)
    down, across = ((np.arange(n) - n // 2) * longer / n for n in (grid.rows, grid.cols))
    return np.square(down)[:, None] + np.square(across)


def hidden_outside(kept: Bools, share: float, grid: Grid, noise: Noise) -> Bools:
    """Return hidden bins [noise.count, *grid.shape]; frames of a clip are alike.

    The share `share` of the images keeps the bins `kept` [rows, cols], the others all but those.
    """
    inside = (noise.uniform(1) < share).reshape(-1, 1, 1, 1)
    return (inside ^ kept).repeat(grid.frames or 1, axis=1).reshape(-1, *grid.shape)
