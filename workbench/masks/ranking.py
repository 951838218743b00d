"""Exact counts from random or scored cells."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def hide_lowest(keys: NDArray[Any], count: int | NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return True for the `count` lowest keys of each row, bool [rows, n].

    `count` is one number, or one a row. Equal keys are taken from the left, so the count is exact
    whatever the keys.

    >>> hide_lowest(np.array([[3, 1, 1, 2]]), 1)
    array([[False,  True, False, False]])
    """
    if not isinstance(count, int):
        return _lowest_of_each(keys, count)
    n = keys.shape[1]
    if count <= 0 or count >= n:
        return np.full(keys.shape, count >= n)
    threshold = np.partition(keys, count, axis=1)[:, count : count + 1]
    hidden = keys < threshold
    if int(np.count_nonzero(hidden)) != count * len(keys):
        _settle_ties(hidden, keys, np.full(len(keys), count))
    return hidden


def _lowest_of_each(keys: NDArray[Any], counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    last = np.sort(keys, axis=1)[np.arange(len(keys)), np.maximum(counts - 1, 0)]
    hidden = keys <= last[:, None]
    _settle_ties(hidden, keys, counts)
    return hidden


def _settle_ties(hidden: NDArray[np.bool_], keys: NDArray[Any], counts: NDArray[np.int64]) -> None:
    for row in np.flatnonzero(np.count_nonzero(hidden, axis=1) != counts):
        hidden[row] = False
        hidden[row, np.argsort(keys[row], kind="stable")[: counts[row]]] = True
