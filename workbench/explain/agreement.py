"""How far maps, and a mask that somebody painted, point at the same cells."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput
from workbench.explain.judging import Cells, overlap, rank_correlation

PAINTED = "Painted mask"
TOP = 0.25  # share of the cells that count as named where no mask tells how many


@dataclass(frozen=True, eq=False)
class Agreement:
    """`ranks` are Spearman's rho, `overlaps` IoU of the `count` highest cells, both [n, n]."""

    names: tuple[str, ...]
    ranks: NDArray[np.float64]
    overlaps: NDArray[np.float64]
    count: int


def agreement(maps: Mapping[str, Cells], painted: NDArray[np.bool_] | None = None) -> Agreement:
    """Compare every map with every other, and with a painted mask as the first of them.

    Args:
        maps: by name, all [rows, cols] of one grid.
        painted: bool [rows, cols]; a map then names as many cells as it has.

    Raises:
        BadInput: nothing to compare, other shapes, or a mask without a cell.
    """
    known: dict[str, Cells] = {} if painted is None else {PAINTED: painted.astype(float)}
    known.update(maps)
    if not maps:
        raise BadInput("there is no map to compare; choose a method.")
    size = next(iter(maps.values())).size
    count = max(1, int(TOP * size + 0.5)) if painted is None else int(painted.sum())
    tops = {name: _highest(values, count) for name, values in known.items()}
    n = len(known)
    ranks, overlaps = np.ones((n, n)), np.ones((n, n))
    for i, (one, first) in enumerate(known.items()):
        for j, second in enumerate(known.values()):
            if i != j:
                ranks[i, j] = rank_correlation(first, second)
                overlaps[i, j] = overlap(second, tops[one])
    return Agreement(tuple(known), ranks, overlaps, count)


def _highest(values: Cells, count: int) -> NDArray[np.bool_]:
    top = np.zeros(values.size, bool)
    top[np.argsort(-values.ravel(), kind="stable")[:count]] = True
    return top.reshape(values.shape)
