"""Exact counts from random or scored cells."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def hide_lowest(keys: NDArray[Any], count: int) -> NDArray[np.bool_]:
    """Return True for the `count` lowest keys of each row, bool [rows, n].

    Equal keys are taken from the left, so the count is exact whatever the keys.
    """
    n = keys.shape[1]
    if count <= 0 or count >= n:
        return np.full(keys.shape, count >= n)
    threshold = np.partition(keys, count, axis=1)[:, count : count + 1]
    hidden = keys < threshold
    if int(np.count_nonzero(hidden)) != count * len(keys):
        for row in np.flatnonzero(np.count_nonzero(hidden, axis=1) != count):
            hidden[row] = False
            hidden[row, np.argsort(keys[row], kind="stable")[:count]] = True
    return hidden
