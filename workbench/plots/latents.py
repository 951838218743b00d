"""Latents by their top pictures: each darkened where the latent is silent."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from workbench.plots.contact_sheet import contact_sheet

SIDE = 112


def lit(picture: NDArray[np.uint8], values: NDArray[np.floating], top: float) -> NDArray[np.uint8]:
    """A picture that stays bright where a map is high, uint8 [112, 112, 3].

    Args:
        picture: uint8 [h, w, 3].
        values: [rows, cols], 0 or more.
        top: the value that stands for full brightness.
    """
    from PIL import Image

    strength = np.clip(np.asarray(values, np.float64) / (top or 1.0), 0, 1)
    small = Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    rows = np.arange(SIDE) * strength.shape[0] // SIDE
    cols = np.arange(SIDE) * strength.shape[1] // SIDE
    share = 0.25 + 0.75 * strength[rows[:, None], cols[None, :]][..., None]
    return (np.asarray(small) * share).round().astype(np.uint8)


def latent_sheet(
    rows: Sequence[tuple[str, Sequence[tuple[NDArray[np.uint8], NDArray[np.floating]]]]],
) -> NDArray[np.uint8]:
    """One row a latent: its top pictures, lit where it is active, on one scale a row.

    Args:
        rows: (name, [(picture uint8 [h, w, 3], map [rows, cols])]) each.
    """
    tiles: dict[tuple[int, int], NDArray[np.uint8]] = {}
    for at, (_, found) in enumerate(rows):
        top = max((float(values.max()) for _, values in found), default=1.0)
        for col, (picture, values) in enumerate(found):
            tiles[at, col] = lit(picture, values, top)
    width = max((len(found) for _, found in rows), default=0)
    return contact_sheet(tiles, [name for name, _ in rows], [f"{n + 1}" for n in range(width)])
