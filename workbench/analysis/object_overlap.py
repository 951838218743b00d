"""How much of each object a strategy hides, where the objects of a picture are known."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput
from workbench.masks import Grid, Mask

Floats = NDArray[np.float64]
MOST = 0.95


@dataclass(frozen=True)
class ObjectOverlap:
    """One object of `area` (share of the picture) under many masks.

    `hidden` is the expected share of its area that is hidden; `gone` the share of draws that hide
    at least 95% of it, `whole` that of draws that hide at most 5%. All from 0 to 1.
    """

    name: str
    area: float
    hidden: float
    gone: float
    whole: float


def object_shares(labels: NDArray[np.integer], grid: Grid, count: int) -> Floats:
    """Return how much of every cell objects 1 to `count` cover, float64 [count, rows, cols].

    `labels` is [height, width], 0 for the ground; the cells divide it evenly, and a pixel that lies
    in two cells counts for each by the area.

    Raises:
        BadInput: labels that are no picture.
    """
    if labels.ndim != 2 or not labels.size:
        raise BadInput(f"labels have the shape {labels.shape}, but must be [height, width].")
    down, across = _parts(labels.shape[0], grid.rows), _parts(labels.shape[1], grid.cols)
    numbers = np.arange(1, count + 1)
    return down @ (labels == numbers[:, None, None]).astype(np.float64) @ across.T


def object_overlap(mask: Mask, shares: Floats, names: tuple[str, ...]) -> list[ObjectOverlap]:
    """Measure a batch of masks against objects, largest first; those out of sight are left out.

    `shares` is what `object_shares` returns for the mask's rows and columns. In a clip an object
    stays where it is.
    """
    grid, flat = mask.grid, shares.reshape(len(shares), -1)
    area = flat.sum(axis=1)
    hidden = mask.hidden.reshape(len(mask), -1, grid.rows * grid.cols)
    covered = (hidden.mean(axis=1, dtype=np.float32) @ flat.T.astype(np.float32)).astype(np.float64)
    found = [
        ObjectOverlap(
            names[at],
            float(area[at]) / flat.shape[1],
            float(share.mean()),
            float((share >= MOST).mean()),
            float((share <= 1 - MOST).mean()),
        )
        for at in range(len(shares))
        if area[at] > 0
        for share in [covered[:, at] / area[at]]
    ]
    return sorted(found, key=lambda each: -each.area)


def _parts(pixels: int, cells: int) -> Floats:
    """Return [cells, pixels]: the share of a cell's length that each pixel is."""
    edges = np.arange(pixels + 1) * (cells / pixels)
    low, high = edges[:-1], edges[1:]
    cell = np.arange(cells)[:, None]
    return np.clip(np.minimum(high, cell + 1) - np.maximum(low, cell), 0, None)
