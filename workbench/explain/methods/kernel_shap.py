"""Shapley values by a weighted regression (KernelSHAP)."""

from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.explain.methods.coalitions import answers, segments
from workbench.explain.methods.method import Asked, Method, Search
from workbench.params import Knob

EXACT = 12  # segments up to which all coalitions may be asked


@dataclass(frozen=True, kw_only=True)
class KernelShap(Method):
    """Each segment's fair share of score(x) - score(nothing visible).

    Lundberg and Lee: coalitions of size s are drawn with the kernel's weight
    (S - 1) / (C(S, s) s (S - s)), in pairs with their complements, and shares add up to the
    difference by construction. With at most 12 segments and `count` >= 2^S all coalitions are asked
    and the shares are exact. Something must be shown when nothing is visible, so that the operator
    is a fill; where parts go missing inside a network, one cell at random stays in the reference.
    """

    paper: ClassVar[str] = "arXiv:1705.07874"
    removes: ClassVar[bool] = True

    count: Annotated[int, Knob("coalitions asked", 4, 100_000, 2, None, 4000)] = 1000
    segments: Annotated[int, Knob("superpixels; 0 for every cell", 0, 1000, 1, None, 100)] = 0

    def search(self, asked: Asked) -> Search:
        """See `Method.search`."""
        parts = segments(asked.image, asked.grid, self.segments)
        n = int(parts.max()) + 1
        there, weights = self._coalitions(n, asked.seed)
        ends = np.zeros((2, n), bool)
        ends[1] = True
        if not asked.removal.paints:  # nothing at all cannot be shown
            ends[0, np.random.default_rng(asked.seed).integers(n)] = True
        scores = yield from answers(asked, parts, np.concatenate([ends, there]))
        nothing, whole = scores[:2]
        shares = _shares(there, scores[2:] - nothing, weights, whole - nothing)
        asked.notes.update(segments=n, nothing=float(nothing))
        return shares[parts].astype(np.float32)

    def _coalitions(self, n: int, seed: int) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        if n <= EXACT and self.count >= 2**n:
            return _all(n)
        rng = np.random.default_rng(seed)
        sizes = np.arange(1, n)
        chance = (n - 1) / (sizes * (n - sizes))
        drawn = rng.choice(sizes, size=self.count // 2, p=chance / chance.sum())
        first = rng.random((len(drawn), n)).argsort(1).argsort(1) < drawn[:, None]
        return np.concatenate([first, ~first]), np.ones(2 * len(drawn))


def _all(n: int) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    rows, weights = [], []
    for size in range(1, n):
        for chosen in combinations(range(n), size):
            row = np.zeros(n, bool)
            row[list(chosen)] = True
            rows.append(row)
            weights.append((n - 1) / (comb(n, size) * size * (n - size)))
    return np.array(rows), np.array(weights)


def _shares(
    there: NDArray[np.bool_], gains: NDArray[np.float64], weights: NDArray[np.float64], whole: float
) -> NDArray[np.float64]:
    """Least squares under the condition that the shares add up to `whole`."""
    x = there.astype(float)
    last = x[:, -1]
    left, right = x[:, :-1] - last[:, None], gains - last * whole
    root = np.sqrt(weights)
    first = np.linalg.lstsq(left * root[:, None], right * root, rcond=None)[0]
    return np.append(first, whole - first.sum()).astype(np.float64)
