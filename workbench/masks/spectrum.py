"""A grid of frequencies: the zero frequency stands in the middle, at rows // 2 and cols // 2."""

import numpy as np
from numpy.typing import NDArray

from workbench.masks.lattice import Grid
from workbench.seeds import Noise

Bools = NDArray[np.bool_]


def disc(grid: Grid, radius: float) -> Bools:
    """Return the bins nearer to the zero frequency than `radius`, bool [rows, cols].

    The distance is in cycles along the longer side of the picture; on a square picture that is the
    distance in bins.

    >>> disc(Grid(3, 4, patch=1, domain="frequency"), 1.5).astype(int).tolist()
    [[0, 0, 1, 0], [0, 1, 1, 1], [0, 0, 1, 0]]
    """
    longer = max(grid.rows, grid.cols)
    down, across = (np.square((np.arange(n) - n // 2) * longer / n) for n in (grid.rows, grid.cols))
    return across < (radius**2 - down)[:, None]


def hidden_outside(kept: Bools, share: float, grid: Grid, noise: Noise) -> Bools:
    """Return hidden bins [noise.count, *grid.shape]; frames of a clip are alike.

    The share `share` of the images keeps the bins `kept` [rows, cols], the others all but those.
    """
    inside = (noise.uniform(1) < share).reshape(-1, 1, 1, 1)
    hidden = np.broadcast_to(inside ^ kept, (noise.count, grid.frames or 1, *kept.shape))
    return hidden.reshape(-1, *grid.shape)
