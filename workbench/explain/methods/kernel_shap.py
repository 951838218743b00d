"""Shapley values by a weighted regression (KernelSHAP)."""

from collections.abc import Generator
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.explain.methods.coalitions import HANDFUL, Sums, answers, segments
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
        ends = np.zeros((2, n), bool)
        ends[1] = True
        if not asked.removal.paints:  # nothing at all cannot be shown
            ends[0, np.random.default_rng(asked.seed).integers(n)] = True
        exact = n <= EXACT and self.count >= 2**n
        done, total = 2, 2 + (2**n - 2 if exact else self.count // 2 * 2)
        nothing, whole = yield from answers(asked, parts, ends, 0, total)
        sums = Sums(n - 1)
        for there, weights in [_all(n)] if exact else self._pairs(n, asked.seed):
            scores = yield from answers(asked, parts, there, done, total)
            done += len(there)
            # shares add up to whole - nothing: the last one is what the others leave
            x, last = there[:, :-1].astype(float), there[:, -1]
            gains = scores - nothing - last * (whole - nothing)
            sums.add(x - last[:, None], gains, weights)
        first = np.linalg.lstsq(sums.xx, sums.xy, rcond=None)[0]
        shares = np.append(first, whole - nothing - first.sum())
        asked.notes.update(segments=n, nothing=float(nothing))
        return shares[parts].astype(np.float32)

    def _pairs(self, n: int, seed: int) -> Generator[tuple[NDArray[np.bool_], NDArray[np.float64]]]:
        """Coalitions of drawn sizes with their complements, a handful at a time."""
        rng = np.random.default_rng(seed)
        sizes = np.arange(1, n)
        chance = (n - 1) / (sizes * (n - sizes))
        drawn = rng.choice(sizes, size=self.count // 2, p=chance / chance.sum())
        for at in range(0, len(drawn), HANDFUL // 2):
            few = drawn[at : at + HANDFUL // 2]
            first = rng.random((len(few), n)).argsort(1).argsort(1) < few[:, None]
            yield np.concatenate([first, ~first]), np.ones(2 * len(few))


def _all(n: int) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    rows, weights = [], []
    for size in range(1, n):
        for chosen in combinations(range(n), size):
            row = np.zeros(n, bool)
            row[list(chosen)] = True
            rows.append(row)
            weights.append((n - 1) / (comb(n, size) * size * (n - size)))
    return np.array(rows), np.array(weights)
