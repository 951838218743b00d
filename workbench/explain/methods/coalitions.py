"""What LIME and KernelSHAP ask: which segments are there, and what the network says then."""

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput
from workbench.explain.methods.method import Asked, Step
from workbench.masks import Grid

HANDFUL = 1024  # coalitions that are held at once: however many are asked, memory stays


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


@dataclass(eq=False)
class Sums:
    """Weighted sums over rows x [k, n] and values y [k], of which a regression is made."""

    size: int
    weight: float = 0.0

    def __post_init__(self) -> None:
        """Begin with nothing."""
        self.x, self.xy = np.zeros(self.size), np.zeros(self.size)
        self.xx = np.zeros((self.size, self.size))
        self.y, self.yy = 0.0, 0.0

    def add(
        self, x: NDArray[np.float64], y: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> None:
        """Take more rows in."""
        heavy = x * weights[:, None]
        self.weight += float(weights.sum())
        self.x += heavy.sum(0)
        self.xx += heavy.T @ x
        self.xy += heavy.T @ y
        self.y += float(weights @ y)
        self.yy += float(weights @ y**2)


def answers(
    asked: Asked, parts: NDArray[np.int64], there: NDArray[np.bool_], done: int, total: int
) -> Generator[Step, None, NDArray[np.float64]]:
    """Scores [n] for coalitions `there` [n, segments], True = the segment is visible.

    `done` were asked before, of `total`: that is what the steps tell.
    """
    steps = asked.without(~there[:, parts])
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            return end.value
        yield Step(done + step.done, total)
