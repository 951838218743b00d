"""The error of each hidden patch as a picture, on a scale that two pictures share."""

import numpy as np
from numpy.typing import NDArray

TOP = 0.1
VISIBLE = (58, 64, 66)
# Black, plum, brick, amber, cream: rises in lightness, so it also reads without colour.
STOPS = ((10, 8, 24), (84, 24, 92), (183, 55, 68), (246, 146, 42), (252, 246, 196))


def error_map(
    error: NDArray[np.floating], hidden: NDArray[np.bool_], patch: int, top: float = TOP
) -> NDArray[np.uint8]:
    """Paint each hidden patch by its mean squared error; visible patches are grey.

    Args:
        error: float [rows, cols], mean squared error in [0, 1] RGB.
        hidden: bool [rows, cols].
        patch: side of a patch in pixels of the picture.
        top: error at which the scale ends; larger errors get its last colour.

    Returns:
        uint8 [rows * patch, cols * patch, 3].
    """
    share = np.clip(np.nan_to_num(np.asarray(error, np.float64)) / top, 0, 1)
    at = np.linspace(0, 1, len(STOPS))
    stops = np.array(STOPS, np.float64)
    colours = np.stack([np.interp(share, at, stops[:, band]) for band in range(3)], axis=-1)
    cells = np.where(hidden[..., None], np.floor(colours + 0.5), VISIBLE).astype(np.uint8)
    return np.repeat(np.repeat(cells, patch, axis=0), patch, axis=1)
