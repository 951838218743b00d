"""Three ways to continue visible pixels into hidden ones, one image at a time."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.fills.fill import Bools, Images

TELEA_RADIUS = 3.0


def harmonic(image: Images, hidden: Bools) -> Images:
    """Solve Laplace's equation on the hidden pixels of one image.

    Visible pixels are the boundary values; at the picture's border nothing flows (a hidden border
    pixel is the mean of its two or three neighbours). Solved directly, so exact to rounding.

    Args:
        image: float32 [3, h, w].
        hidden: bool [h, w], neither all nor none.

    Returns:
        float32 [3, h, w].
    """
    factors = _factorised(hidden)
    shown = np.where(hidden, 0, image).astype(np.float64)
    inflow = np.zeros(image.shape)
    inflow[:, 1:] += shown[:, :-1]
    inflow[:, :-1] += shown[:, 1:]
    inflow[:, :, 1:] += shown[:, :, :-1]
    inflow[:, :, :-1] += shown[:, :, 1:]
    out = image.copy()
    out[:, hidden] = factors.solve(np.ascontiguousarray(inflow[:, hidden].T)).T
    return out


def _factorised(hidden: Bools) -> Any:
    """Sparse LU factors of the Laplacian on the hidden pixels (it is symmetric and definite).

    They must be dropped in the thread that made them: SuperLU keeps its memory by thread, and
    factors that outlive a daemon thread make Python's exit fail with status 120.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.linalg import splu

    shape = h, w = hidden.shape
    count = int(hidden.sum())
    number = np.full(shape, -1, np.int32)
    number[hidden] = np.arange(count, dtype=np.int32)
    neighbours = np.full(shape, 4.0)
    neighbours[[0, -1]] -= 1
    neighbours[:, [0, -1]] -= 1
    if h == 1 or w == 1:  # the one row is first and last, but fancy indexing subtracts only once
        neighbours -= 1
    pairs = [(number[:, :-1], number[:, 1:]), (number[:-1], number[1:])]
    both = [(a >= 0) & (b >= 0) for a, b in pairs]
    low = np.concatenate([a[m] for (a, _), m in zip(pairs, both, strict=True)])
    high = np.concatenate([b[m] for (_, b), m in zip(pairs, both, strict=True)])
    own = np.arange(count, dtype=np.int32)
    values = np.concatenate([neighbours[hidden], np.full(2 * len(low), -1.0)])
    rows, cols = np.concatenate([own, low, high]), np.concatenate([own, high, low])
    matrix = coo_matrix((values, (rows, cols)), shape=(count, count)).tocsc()
    return splu(
        matrix,
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )


def telea(image: Images, hidden: Bools) -> Images:
    """Continue one image by fast marching (OpenCV's INPAINT_TELEA, radius 3 px, 8 bits).

    Args:
        image: float32 [3, h, w] in [0, 1].
        hidden: bool [h, w].

    Returns:
        float32 [3, h, w], multiples of 1/255.
    """
    import cv2

    levels = (image * 255 + 0.5).astype(np.uint8).transpose(1, 2, 0)
    levels = np.where(hidden[..., None], np.uint8(0), levels)
    covered = hidden.astype(np.uint8)
    thin = 1 in hidden.shape
    if thin:  # OpenCV reads beyond pictures of one row or column
        levels, covered = (
            np.pad(levels, ((1, 1), (1, 1), (0, 0)), "edge"),
            np.pad(covered, 1, "edge"),
        )
    filled = cv2.inpaint(levels, covered, TELEA_RADIUS, cv2.INPAINT_TELEA)
    if thin:
        filled = filled[1:-1, 1:-1]
    return (filled.transpose(2, 0, 1) / np.float32(255)).astype(np.float32, copy=False)


def nearest(image: Images, hidden: Bools, patch: int = 1) -> Images:
    """Copy the nearest wholly visible square into each square that is not.

    Squares are counted from the upper left; where the size is no multiple of `patch`, or no square
    is wholly visible, single pixels are copied instead.

    Args:
        image: float32 [3, h, w].
        hidden: bool [h, w], not all.
        patch: side of the squares in pixels.

    Returns:
        float32 [3, h, w].
    """
    from scipy.ndimage import distance_transform_edt

    h, w = hidden.shape
    side = patch if h % patch == 0 and w % patch == 0 else 1
    covered: Bools = np.any(hidden.reshape(h // side, side, w // side, side), axis=(1, 3))
    if covered.all():
        side, covered = 1, hidden
    found: Any = distance_transform_edt(covered, return_distances=False, return_indices=True)
    rows, cols = (_spread(axis, side) for axis in found)
    inside_row, inside_col = np.arange(h)[:, None] % side, np.arange(w)[None] % side
    return image[:, rows * side + inside_row, cols * side + inside_col]


def _spread(cells: NDArray[np.int32], side: int) -> NDArray[np.int32]:
    return np.repeat(np.repeat(cells, side, axis=0), side, axis=1)
