"""An attribution over its picture: what speaks for the class in red, against it in blue."""

import numpy as np
from numpy.typing import NDArray

from workbench.plots.difference import difference_map


def attribution_map(values: NDArray[np.floating], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Paint a map alone, uint8 [h, w, 3].

    Args:
        values: float [rows, cols] from -1 to 1; what lies beyond is painted as the nearer end.
        size: height and width in pixels; cells are stretched without smoothing.
    """
    return difference_map(_stretched(values, size), 1.0)


def attribution_over(picture: NDArray[np.uint8], values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Paint a map over its picture in grey, uint8 [h, w, 3]; weak values let it through."""
    wide = _stretched(values, picture.shape[:2])
    strength = np.clip(np.abs(wide), 0, 1)[..., None] * 0.85
    grey = picture.astype(float).mean(2, keepdims=True) * 0.6 + 60
    painted = difference_map(wide, 1.0).astype(float)
    return np.clip(grey * (1 - strength) + painted * strength, 0, 255).round().astype(np.uint8)


def _stretched(values: NDArray[np.floating], size: tuple[int, ...]) -> NDArray[np.floating]:
    rows = np.arange(size[0]) * values.shape[0] // size[0]
    cols = np.arange(size[1]) * values.shape[1] // size[1]
    return values[rows[:, None], cols[None, :]]
