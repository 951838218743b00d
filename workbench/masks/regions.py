"""Hide cells of labelled regions: whole ones, or an equal part of each, to an exact count."""

import numpy as np
from numpy.typing import NDArray

from workbench.seeds import Noise

REGION_STREAM = 0x9E61

Labels = NDArray[np.int64]
Bools = NDArray[np.bool_]


def numbered(values: NDArray[np.float64]) -> Labels:
    """Return labels 0, 1, ... in place of the different values of each row, int64 [count, n].

    >>> numbered(np.array([[7.0, 2.0, 7.0, 9.0]]))
    array([[1, 0, 1, 2]])
    """
    order = np.argsort(values, axis=1, kind="stable")
    rising = np.take_along_axis(values, order, axis=1)
    steps = np.zeros(values.shape, np.int64)
    steps[:, 1:] = np.cumsum(rising[:, 1:] != rising[:, :-1], axis=1)
    labels = np.empty_like(steps)
    np.put_along_axis(labels, order, steps, axis=1)
    return labels


def sizes_of(labels: Labels) -> Labels:
    """Return how many cells bear each label, int64 [count, most labels]."""
    kinds = int(labels.max()) + 1
    offset = labels + np.arange(len(labels))[:, None] * kinds
    return np.bincount(offset.ravel(), minlength=len(labels) * kinds).reshape(-1, kinds)


def whole_regions(sizes: Labels, noise: Noise, count: int) -> Labels:
    """How many cells of each region are hidden when regions go whole, in random order."""
    order = np.argsort(noise.bits(sizes.shape[1], REGION_STREAM), axis=1)
    queue = np.take_along_axis(sizes, order, axis=1)
    before = np.cumsum(queue, axis=1) - queue
    taken = np.empty_like(sizes)
    np.put_along_axis(taken, order, np.clip(count - before, 0, queue), axis=1)
    return taken


def shares_of_regions(
    sizes: Labels, whole: Labels, spread: float, noise: Noise, count: int
) -> Labels:
    """Between whole regions (`spread` 0) and the same share of each (`spread` 1), exact in total.

    Fractions are settled by largest remainder, ties at random.
    """
    even = sizes * (count / max(1, int(sizes[0].sum())))
    wanted = spread * even + (1 - spread) * whole
    floor = np.floor(wanted + 1e-9).astype(np.int64)
    rest = wanted - floor
    tie = noise.uniform(sizes.shape[1], REGION_STREAM + 1)
    place = np.argsort(np.argsort(-(np.round(rest, 9) + 1e-10 * tie), axis=1), axis=1)
    return floor + (place < (count - floor.sum(axis=1, keepdims=True)))


def hide_in_regions(labels: Labels, taken: Labels, noise: Noise) -> Bools:
    """Hide `taken` random cells of each region, bool [count, n]."""
    keys = noise.bits(labels.shape[1]) | labels.astype(np.uint64) << np.uint64(32)
    order = np.argsort(keys, axis=1)
    sizes = sizes_of(labels)
    start = np.cumsum(sizes, axis=1) - sizes
    sorted_labels = np.take_along_axis(labels, order, axis=1)
    place = np.arange(labels.shape[1]) - np.take_along_axis(start, sorted_labels, axis=1)
    hidden = np.empty(labels.shape, bool)
    np.put_along_axis(
        hidden, order, place < np.take_along_axis(taken, sorted_labels, axis=1), axis=1
    )
    return hidden
