"""What a mask looks like in five numbers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class MaskCard:
    """Numbers about one mask of `total` patches, `hidden` of them hidden.

    `ratio` is the realised share; `pieces` counts connected groups of hidden patches (side by side,
    not corner to corner); `border` counts patch edges between hidden and visible; `mean_distance`
    is the mean distance from the centre of a hidden patch to that of the nearest visible one, in
    patches: 1 at least, None where nothing is hidden or nothing is visible.
    """

    ratio: float
    hidden: int
    total: int
    pieces: int
    border: int
    mean_distance: float | None


def mask_card(hidden: NDArray[np.bool_]) -> MaskCard:
    """Measure one mask, bool [rows, cols]."""
    import cv2

    count, total = int(np.count_nonzero(hidden)), hidden.size
    across = np.count_nonzero(hidden[:, 1:] != hidden[:, :-1])
    down = np.count_nonzero(hidden[1:] != hidden[:-1])
    cells = np.ascontiguousarray(hidden, np.uint8)
    distance = None
    if 0 < count < total:
        away = cv2.distanceTransform(cells, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        distance = float(np.mean(away[hidden], dtype=np.float64))
    pieces = cv2.connectedComponents(cells, connectivity=4)[0] - 1
    return MaskCard(count / total, count, total, pieces, int(across + down), distance)
