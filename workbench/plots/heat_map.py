"""Numbers from 0 to 1 on a grid as a picture."""

import numpy as np
from numpy.typing import NDArray

from workbench.plots.error_map import STOPS


def heat_map(values: NDArray[np.floating], side: int = 16) -> NDArray[np.uint8]:
    """Paint each cell by its value: black 0, cream 1, rising in lightness; nan is grey.

    Args:
        values: float [rows, cols] in [0, 1]; what lies beyond is painted as the nearer end.
        side: pixels of a cell.

    Returns:
        uint8 [rows * side, cols * side, 3].
    """
    known = np.nan_to_num(np.asarray(values, np.float64))
    at, stops = np.linspace(0, 1, len(STOPS)), np.array(STOPS, np.float64)
    colours = np.stack([np.interp(known, at, stops[:, band]) for band in range(3)], axis=-1)
    cells = np.where(np.isnan(values)[..., None], 128, np.floor(colours + 0.5)).astype(np.uint8)
    return np.repeat(np.repeat(cells, side, axis=0), side, axis=1)
