"""Hide whole leaves of a quadtree: small where the picture is rich, large where it is plain."""

import heapq
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.masks.lattice import Grid
from workbench.masks.regions import hide_in_regions, sizes_of, whole_regions
from workbench.masks.scored import flat_map, recipe_of
from workbench.masks.strategy import Drawn, Maps, Ratio, Strategy
from workbench.params import Knob
from workbench.seeds import Noise


@dataclass(frozen=True, kw_only=True)
class Quadtree(Strategy):
    """Hide leaves in random order until exactly floor(ratio * n + 0.5) patches are hidden.

    The tree starts with the whole picture and splits the node with the largest sum of scores into
    quarters until it has at least `leaves` leaves, or none is larger than a patch. The leaf that
    would exceed the count is cut. A clip has one tree a frame.

    The idea of composing pictures from spans of several scales is ReCAT's (Hu et al.).
    """

    paper: ClassVar[str] = "arXiv:2309.16319"
    needs_maps: ClassVar[bool] = True
    score_kind: ClassVar[str] = "values"

    ratio: Ratio = 0.75
    leaves: Annotated[int, Knob("leaves of a frame's tree", 1, 1 << 12, 1, soft_maximum=64)] = 28
    scores: Annotated[str, Knob("recipe of the score map that splits")] = "variance()"

    def __post_init__(self) -> None:
        """Check the knobs and the form of the map's recipe."""
        super().__post_init__()
        object.__setattr__(self, "scores", recipe_of(self.name, self.scores))

    @property
    def needs(self) -> tuple[str, ...]:
        """The map."""
        return (self.scores,)

    def draw(self, grid: Grid, noise: Noise, maps: Maps) -> Drawn:
        """Grow the tree of each image, then take leaves in random order."""
        scores = flat_map(self.name, self.scores, maps)
        planes = scores.reshape(len(scores), -1, grid.rows, grid.cols)
        labels = np.stack([_trees(frames, self.leaves) for frames in planes])
        taken = whole_regions(sizes_of(labels), noise, grid.count(self.ratio))
        return hide_in_regions(labels, taken, noise).reshape(-1, *grid.shape)


def _trees(frames: NDArray[np.float64], leaves: int) -> NDArray[np.int64]:
    labels, total = [], 0
    for scores in frames:
        labels.append(leaf_labels(scores, leaves) + total)
        total = int(labels[-1].max()) + 1
    return np.concatenate([plane.ravel() for plane in labels])


def leaf_labels(scores: NDArray[np.float64], leaves: int) -> NDArray[np.int64]:
    """Number the leaves of one picture's tree, int64 [rows, cols].

    Scores below the picture's lowest count from there, so that a larger node never has less.

    >>> scores = np.zeros((4, 4))
    >>> scores[0, 0] = 9
    >>> leaf_labels(scores, 7).tolist()
    [[0, 1, 2, 2], [3, 4, 2, 2], [5, 5, 6, 6], [5, 5, 6, 6]]
    """
    lifted = scores - scores.min()
    total = np.pad(lifted.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))

    def node(top: int, left: int, low: int, right: int) -> tuple[float, ...]:
        inside = total[low, right] - total[top, right] - total[low, left] + total[top, left]
        splits = (low - top) * (right - left) > 1
        return (-round(float(inside), 9) if splits else np.inf, -(low - top) * (right - left),
                top, left, low, right)  # fmt: skip

    rows, cols = scores.shape
    nodes = [node(0, 0, rows, cols)]
    while len(nodes) < leaves and nodes[0][0] < np.inf:
        top, left, low, right = (int(edge) for edge in heapq.heappop(nodes)[2:])
        downs = sorted({top, (top + low + 1) // 2, low})
        across = sorted({left, (left + right + 1) // 2, right})
        for a, b in pairwise(downs):
            for c, d in pairwise(across):
                heapq.heappush(nodes, node(a, c, b, d))
    labels = np.empty(scores.shape, np.int64)
    for number, (_, _, top, left, low, right) in enumerate(sorted(nodes, key=lambda x: x[2:])):
        labels[int(top) : int(low), int(left) : int(right)] = number
    return labels
