"""What LIME and KernelSHAP ask: which segments are there, and what the network says then."""

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput
from workbench.explain.methods.method import Asked, Step
from workbench.masks import Grid


def segments(image: NDArray[np.float32], grid: Grid, count: int) -> NDArray[np.int64]:
    """A segment's number for each cell, [rows, cols], 0 to at most count - 1, none left out.

    `count` 0 takes every cell for itself; otherwise superpixels (SLIC) on the picture, each cell
    given to the segment that holds most of it.

    Raises:
        BadInput: fewer than two segments were found.
    """
    if not count:
        return np.arange(grid.size).reshape(grid.shape)
    from skimage.segmentation import slic

    found = slic(image.transpose(1, 2, 0), n_segments=count, compactness=10, start_label=0)
    rows = np.arange(found.shape[0]) * grid.rows // found.shape[0]
    cols = np.arange(found.shape[1]) * grid.cols // found.shape[1]
    cell = rows[:, None] * grid.cols + cols[None, :]
    votes = np.zeros((grid.size, int(found.max()) + 1), np.int64)
    np.add.at(votes, (cell.ravel(), found.ravel()), 1)
    _, numbers = np.unique(votes.argmax(1), return_inverse=True)
    if numbers.max() < 1:
        raise BadInput(
            f"only one segment was found of {count} asked for; take segments=0, every cell alone."
        )
    return numbers.reshape(grid.shape)


def answers(
    asked: Asked, parts: NDArray[np.int64], there: NDArray[np.bool_]
) -> Generator[Step, None, NDArray[np.float64]]:
    """Scores [n] for coalitions `there` [n, segments], True = the segment is visible."""
    return asked.without(~there[:, parts])
