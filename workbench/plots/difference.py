"""How two pictures differ, in colours on a scale that two figures share."""

import numpy as np
from numpy.typing import NDArray

TOP = 0.25
# Blue, pale, red: both ends are equally dark, so that a sign costs no weight.
SIGNED = ((24, 78, 156), (124, 172, 220), (247, 247, 245), (238, 150, 110), (164, 30, 44))
# Pale to dark in even steps of lightness, so it also reads without colour.
ABSOLUTE = ((250, 249, 246), (253, 212, 140), (236, 120, 80), (164, 36, 84), (52, 12, 62))


def difference_map(
    values: NDArray[np.floating], top: float = TOP, signed: bool = True
) -> NDArray[np.uint8]:
    """Paint differences: signed from -top to top, absolute from 0 to top.

    Args:
        values: float [h, w], in units of [0, 1] RGB; absolute ones are not below 0.
        top: difference at which the scale ends; larger ones get its last colour.
        signed: which of the two scales.

    Returns:
        uint8 [h, w, 3].
    """
    stops = np.array(SIGNED if signed else ABSOLUTE, np.float64)
    share = np.nan_to_num(np.asarray(values, np.float64)) / top
    share = np.clip((share + 1) / 2 if signed else share, 0, 1)
    at = np.linspace(0, 1, len(stops))
    bands = [np.interp(share, at, stops[:, band]) for band in range(3)]
    return np.floor(np.stack(bands, axis=-1) + 0.5).astype(np.uint8)
