"""Maps of layers and heads as small pictures on one colour scale, or each on its own."""

import numpy as np
from numpy.typing import NDArray

from workbench.plots.contact_sheet import contact_sheet
from workbench.plots.heat_map import heat_map

SIDE = 84  # pixels of the longer side of a small picture, roughly


def scaled(
    maps: NDArray[np.floating], top: float | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bring maps [..., rows, cols] to [0, 1]: by one `top` for all, or each by its own largest.

    Returns:
        The maps, NaN where they were, and the tops [...] that stand for 1.
    """
    values = np.asarray(maps, np.float64)
    if top is not None:
        tops = np.full(values.shape[:-2], top)
    else:
        known = np.where(np.isnan(values), -np.inf, values).max(axis=(-2, -1))
        tops = np.where(np.isfinite(known) & (known > 0), known, 1.0)
    return np.clip(values / tops[..., None, None], 0, 1), tops


def head_grid(
    maps: NDArray[np.floating], heads: tuple[int, ...], top: float | None = None
) -> NDArray[np.uint8]:
    """Lay out one small picture a head, layers from top to bottom.

    Args:
        maps: float [layers, heads, rows, cols]; NaN is grey.
        heads: how many heads each layer has.
        top: value at which the colour scale of all ends; None lets each end at its largest.

    Returns:
        uint8 [height, width, 3].
    """
    values, _ = scaled(maps, top)
    side = max(1, SIDE // max(values.shape[2:]))
    pictures = {
        (layer, head): heat_map(values[layer, head], side)
        for layer in range(len(values))
        for head in range(heads[layer])
    }
    rows = [f"layer {layer}" for layer in range(len(values))]
    return contact_sheet(pictures, rows, [f"head {head}" for head in range(max(heads))])
