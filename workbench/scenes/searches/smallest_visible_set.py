"""Look for the fewest visible patches from which the picture reaches a PSNR."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.params import Knob
from workbench.scenes.batches import Subject
from workbench.scenes.searches.search import Bools, Search, State, decibels, evaluated
from workbench.seeds import Noise


@dataclass(frozen=True, kw_only=True)
class SmallestVisibleSet(Search):
    """Greedy: show, again and again, the patch that raises the PSNR most.

    It begins with everything hidden. In every round each hidden patch (or a random `share` of them,
    at least one) is shown on trial, and the one with the highest PSNR stays visible, the lowest
    number among equals. The PSNR is that of the paste-back before rounding to bytes, against the
    photo in [0, 1] RGB: over `pixels="whole"`, the whole picture, where visible patches are free of
    error, so that every aim can be met; or over `pixels="hidden"`, the hidden pixels alone, where
    it may not. Once `aim` dB are reached, `prune` hides, again and again, the visible patch that is
    missed least, as long as the aim stays met. The set is small, not proven smallest: greedy choice
    can miss pairs of patches that only help together.
    """

    axes: ClassVar[tuple[str, str]] = ("visible patches", "PSNR in dB")
    always_print: ClassVar[tuple[str, ...]] = ("aim",)

    aim: Annotated[float, Knob("PSNR to reach, in dB", 0, 80, 0.5, soft_maximum=40)] = 22.0
    pixels: Annotated[str, Knob("where the PSNR is measured", choices=("whole", "hidden"))] = (
        "whole"
    )
    share: Annotated[float, Knob("share of the hidden patches tried a round", 0.01, 1, 0.01)] = 1.0
    prune: Annotated[bool, Knob("try in the end which patches can be hidden again")] = True
    seed: Annotated[int, Knob("decides which patches are tried if share is below 1", 0, 2**62)] = 0

    def place(self, state: State) -> int:
        """The number of visible patches."""
        return int(np.count_nonzero(~state.hidden))

    def run(self, asked: Subject) -> Iterator[State]:
        """Yield the best trial of the round after every call, and each patch hidden again."""
        n = asked.grid.size
        now, gains = _Trial(np.ones(n, bool), math.nan, -math.inf, 0), list[float]()
        while now.value < self.aim and now.hidden.sum() > 1:
            tried = self._tried(np.flatnonzero(now.hidden), turn=n - int(now.hidden.sum()))
            best = now
            for best in self._round(asked, now, tried):
                ahead = self._ahead(best.value, gains, len(tried))
                yield best.state(asked, best.done, ahead, reached=False)
            gains.append(best.value - now.value)
            now = best
        if now.value < self.aim:
            return
        yield now.state(asked, now.done, 0, reached=True)
        while self.prune and (~now.hidden).sum() > 1:
            best = now
            for best in self._round(asked, now, np.flatnonzero(~now.hidden)):
                yield now.state(asked, best.done, 0, reached=True)
            if best.value < self.aim:
                return
            now = best
            yield now.state(asked, now.done, 0, reached=True)

    def _round(
        self, asked: Subject, start: "_Trial", tried: NDArray[np.intp]
    ) -> Iterator["_Trial"]:
        """Turn each of the patches over; yield the best trial so far after every call."""
        masks = np.repeat(start.hidden[None], len(tried), axis=0)
        masks[np.arange(len(tried)), tried] ^= True
        count = int(masks[0].sum())
        pixels = masks.shape[1] if self.pixels == "whole" else count
        best = _Trial(start.hidden, math.nan, -math.inf, start.done)
        for rows, errors in evaluated(asked, masks):
            sums = errors.sum(1, dtype=np.float64)
            least = int(sums.argmin())  # the first, so the lowest number, among equals
            value, done = decibels(float(sums[least] / pixels)), best.done + len(rows)
            if value > best.value:
                best = _Trial(masks[rows[least]], float(sums[least] / count), value, done)
            else:
                best = replace(best, done=done)
            yield best

    def _tried(self, hidden: NDArray[np.intp], turn: int) -> NDArray[np.intp]:
        count = max(1, math.ceil(self.share * len(hidden)))
        if count == len(hidden):
            return hidden
        ranks = Noise(self.seed, step=turn).bits(len(hidden))[0]
        return np.sort(hidden[np.argsort(ranks)[:count]])

    def _ahead(self, value: float, gains: list[float], tried: int) -> int:
        """Masks still to try if the rounds to come gain as much as the last three did."""
        known = [gain for gain in gains[-3:] if math.isfinite(gain)]
        gain = sum(known) / len(known) if known else 0.0
        rounds = math.ceil((self.aim - value) / gain) if gain > 0 else 1
        return max(rounds, 1) * tried


@dataclass(frozen=True)
class _Trial:
    """A flat mask bool [n], its error over hidden pixels, the PSNR in question, masks tried."""

    hidden: Bools
    error: float
    value: float
    done: int

    def state(self, asked: Subject, done: int, ahead: int, reached: bool) -> State:
        hidden = self.hidden.reshape(asked.grid.shape)
        return State(hidden, self.error, self.value, done, done + ahead, reached)
