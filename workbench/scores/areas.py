"""From pixels to patches, and from one lattice to another."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.masks import Grid

Values = NDArray[np.floating[Any]]


def patch_means(values: Values, grid: Grid) -> NDArray[np.float64]:
    """Average [b, h, w] over each patch's area, float64 [b, rows, cols].

    Any size goes: a value that lies on the border of two patches counts in both by the area of its
    parts, so small maps are spread over larger grids.
    """
    rows = _cuts(values.shape[1], grid.rows)
    cols = _cuts(values.shape[2], grid.cols)
    return rows @ values.astype(np.float64) @ cols.T


def _cuts(size: int, parts: int) -> NDArray[np.float64]:
    """Weights [parts, size] of `size` equal cells in each of `parts` equal ones; rows sum to 1."""
    edges = np.arange(parts + 1) * (size / parts)
    cells = np.arange(size)
    low = np.maximum(edges[:-1, None], cells)
    high = np.minimum(edges[1:, None], cells + 1)
    return np.clip(high - low, 0, None) * (parts / size)


def commonest(labels: NDArray[Any], grid: Grid) -> NDArray[np.float64]:
    """The label with the largest area in each patch, the lowest of equals; [b, h, w] whole numbers.

    Returns:
        float64 [b, rows, cols].
    """
    found = np.empty((len(labels), grid.rows, grid.cols))
    for at, plane in enumerate(labels):
        kinds, inverse = np.unique(plane, return_inverse=True)
        which = inverse.reshape(plane.shape)
        best = np.full((grid.rows, grid.cols), -1.0)
        for number, kind in enumerate(kinds):
            area = patch_means((which == number)[None].astype(np.float64), grid)[0]
            better = area > best + 1e-12
            best[better] = area[better]
            found[at][better] = kind
    return found


def grey(images: NDArray[np.float32]) -> NDArray[np.float64]:
    """Brightness (Rec. 601) of [b, 3, h, w], float64 [b, h, w]."""
    weights = np.array([0.299, 0.587, 0.114])
    return np.einsum("bchw,c->bhw", images.astype(np.float64), weights)


def object_labels(labels: NDArray[Any], grid: Grid, cover: float) -> NDArray[np.float64]:
    """The object with the largest area in each patch, 0 where objects cover less than `cover`.

    Args:
        labels: whole numbers [b, h, w], 0 = background.
        grid: without frames.
        cover: share of a patch, above 0.

    Returns:
        float64 [b, rows, cols].
    """
    share = patch_means((labels != 0).astype(np.float64), grid)
    best, found = np.zeros(share.shape), np.zeros(share.shape)
    for kind in np.unique(labels[labels != 0]):
        area = patch_means((labels == kind).astype(np.float64), grid)
        better = area > best + 1e-12
        best[better], found[better] = area[better], kind
    return np.where(share >= cover - 1e-9, found, 0)


def nearest(labels: NDArray[Any], grid: Grid) -> NDArray[Any]:
    """The label under the centre of each patch, [b, rows, cols] of [b, h, w]."""
    _, h, w = labels.shape
    y = np.floor((np.arange(grid.rows) + 0.5) * h / grid.rows).astype(int)
    x = np.floor((np.arange(grid.cols) + 0.5) * w / grid.cols).astype(int)
    return labels[:, y[:, None], x]
