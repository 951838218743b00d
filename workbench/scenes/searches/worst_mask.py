"""Look for the hidden patches that hurt most at a fixed ratio."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput
from workbench.masks.strategy import Ratio
from workbench.params import Knob
from workbench.scenes.batches import Subject
from workbench.scenes.searches.search import Bools, Search, State, evaluated
from workbench.seeds import Noise

SIZES, OUT, IN = 0, 1, 2  # streams of noise


@dataclass(frozen=True, kw_only=True)
class WorstMask(Search):
    """A local search by swaps that learns which patches are hard.

    `first` random masks are tried; the one with the largest mean squared error over its hidden
    pixels is the parent. In every round `children` masks are made of it: m hidden patches are shown
    and m visible ones hidden, m uniform from 1 to a bound that falls from a quarter of the hidden
    patches to 1. Which patches swap is drawn without replacement, with odds exp(score) for hiding
    and exp(-score) for showing, where a patch's score is its mean error over all masks so far that
    hid it, in standard deviations over the patches. The best child that beats its parent takes its
    place. The search ends after `evaluations` masks.
    """

    axes: ClassVar[tuple[str, str]] = ("masks tried", "mean squared error on hidden pixels")
    always_print: ClassVar[tuple[str, ...]] = ("ratio", "evaluations")

    ratio: Ratio = 0.75
    evaluations: Annotated[int, Knob("masks to try", 1, 1_000_000, 100, soft_maximum=10_000)] = (
        2_000
    )
    seed: Annotated[int, Knob("decides every random choice of the search", 0, 2**62)] = 0
    first: Annotated[int, Knob("random masks to begin with", 1, 100_000, soft_maximum=500)] = 48
    children: Annotated[int, Knob("masks a round", 1, 1_000, soft_maximum=96)] = 24

    def run(self, asked: Subject) -> Iterator[State]:
        """Yield the worst mask so far after every call."""
        n, count = asked.grid.size, asked.grid.count(self.ratio)
        if not 0 < count < n:
            raise BadInput(
                f"worst_mask: ratio is {self.ratio}, which hides {count} of {n} patches, but some "
                "must be hidden and some visible; take ratio=0.75."
            )
        best = np.zeros(n, bool)
        error, done, turn = math.nan, 0, 0
        total, times = np.zeros(n), np.zeros(n)
        while done < self.evaluations:
            if turn == 0:
                masks = self._random(n, count)
            else:
                masks = self._children(best, total / np.maximum(times, 1), turn, done)
            masks = masks[: self.evaluations - done]
            errors = np.zeros(masks.shape, np.float32)
            for rows, found in evaluated(asked, masks):
                errors[rows] = found
                done += len(rows)
                if done < self.evaluations:
                    shown = best if best.any() else masks[0]
                    yield self._state(asked, shown, error, done)
            # Whole rounds only: what a round teaches does not depend on how it was cut into calls.
            means = errors.sum(1, dtype=np.float64) / count
            total += errors.sum(0, dtype=np.float64)
            times += masks.sum(0)
            if turn == 0 or means.max() > error:
                best, error = masks[means.argmax()], float(means.max())
            yield self._state(asked, best, error, done)
            turn += 1

    def _state(self, asked: Subject, best: Bools, error: float, done: int) -> State:
        hidden = best.reshape(asked.grid.shape)
        return State(hidden, error, error, done, self.evaluations)

    def _random(self, n: int, count: int) -> Bools:
        from workbench.masks.ranking import hide_lowest

        return hide_lowest(Noise(self.seed, count=self.first).bits(n), count)

    def _children(self, parent: Bools, score: NDArray[np.float64], turn: int, done: int) -> Bools:
        """Swap some patches of the parent, bool [n], in every child, bool [children, n]."""
        noise = Noise(self.seed, step=turn, count=self.children)
        inside, outside = np.flatnonzero(parent), np.flatnonzero(~parent)
        score = score / (score.std() or 1.0)
        left = 1 - done / self.evaluations
        most = max(1, round(0.25 * len(inside) * left**2))
        most = min(most, len(inside), len(outside))
        sizes = 1 + (noise.uniform(1, SIZES)[:, 0] * most).astype(int)
        out = np.argsort(-(_gumbel(noise, len(inside), OUT) - score[inside]), axis=1)
        into = np.argsort(-(_gumbel(noise, len(outside), IN) + score[outside]), axis=1)
        masks = np.repeat(parent[None], self.children, axis=0)
        for mask, size, shown, taken in zip(masks, sizes, out, into, strict=True):
            mask[inside[shown[:size]]] = False
            mask[outside[taken[:size]]] = True
        return masks


def _gumbel(noise: Noise, n: int, stream: int) -> NDArray[np.float64]:
    """Gumbel noise: the largest of log-odds + noise is a draw with those odds."""
    return -np.log(-np.log(noise.uniform(n, stream) + 2.0**-33))
