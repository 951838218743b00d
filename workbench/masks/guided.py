"""Let a score map decide what is hidden: the strongest, the weakest, or patches drawn by it."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.masks.lattice import Grid
from workbench.masks.ranking import hide_lowest
from workbench.masks.scored import flat_map, recipe_of
from workbench.masks.strategy import Counts, Drawn, Maps, Ratio, Strategy
from workbench.params import Knob
from workbench.seeds import Noise

HIDE = ("top", "bottom", "sample", "sample_keep")
GUIDE_STREAM, HINT_STREAM = 0x6D1D, 0x41D7
FLOOR = 1e-6  # a patch of no weight at all must still be drawable, as the last one


@dataclass(frozen=True, kw_only=True)
class Guided(Strategy):
    """Hide floor(ratio * n + 0.5) patches, floor(share * that) of them by a score map.

    The guided ones are the `top` or the `bottom` of the map; with `sample` they are drawn without
    replacement, high scores likelier hidden; with `sample_keep` high scores are likelier kept. The
    rest of the budget is drawn from the other patches as `random` draws, so share 0 is `random`
    itself. A draw weighs a patch by score ** (1 / temperature), or by exp(score / temperature) with
    `softmax`; negative scores are first lifted to 0. Equal scores are ordered at random. With
    `hint` floor(hint * ratio * n) random ones of the first floor(hint * n) patches are shown again,
    so that fewer are hidden than `ratio` says.

    Covers AttMask (arXiv:2203.12719: top, bottom, hint=0.1 with attention()), HPM
    (arXiv:2304.05919: top with predicted_loss(), a share that grows from 0 to 0.5), MILAN and
    MaskAlign (arXiv:2208.06049, arXiv:2211.08887: sample_keep with attention()), I2P-MAE
    (arXiv:2212.06785: the same with softmax), GA-DMS (gradient_attention()), text-guided masks
    (text_similarity()), Lift3D (top, share < 1) and AdaMAE (arXiv:2211.09120: sample_keep).
    """

    paper: ClassVar[str] = "arXiv:2203.12719"
    needs_maps: ClassVar[bool] = True
    score_kind: ClassVar[str] = "values"
    always_print: ClassVar[tuple[str, ...]] = ("ratio", "scores")

    ratio: Ratio = 0.75
    scores: Annotated[str, Knob("recipe of the score map that decides")] = "edges()"
    hide: Annotated[str, Knob("which end of the map is hidden", choices=HIDE)] = "top"
    share: Annotated[float, Knob("part of the hidden patches that the map decides", 0, 1, 0.05)] = (
        1.0
    )
    temperature: Annotated[
        float, Knob("of a draw by scores: 1 is proportional, large is random", 1e-3, 1e6, 0.1,
                    None, 10)
    ] = 1.0  # fmt: skip
    softmax: Annotated[bool, Knob("weigh by exp(score / temperature)")] = False
    hint: Annotated[float, Knob("first patches of which some are shown again", 0, 1, 0.05)] = 0.0

    def __post_init__(self) -> None:
        """Check the knobs and the form of the map's recipe."""
        super().__post_init__()
        object.__setattr__(self, "scores", recipe_of(self.name, self.scores))

    @property
    def needs(self) -> tuple[str, ...]:
        """The one map."""
        return (self.scores,)

    @property
    def promise(self) -> Counts:
        """Exact unless hints are shown."""
        return "free" if self.hint else "exact"

    @property
    def idle(self) -> tuple[str, ...]:
        """Knobs that change nothing with these values."""
        return () if str(self.hide).startswith("sample") else ("temperature", "softmax")

    def draw(self, grid: Grid, noise: Noise, maps: Maps) -> Drawn:
        """Rank by the map, fill up with the noise of `random`, then show the hints."""
        n, count = grid.size, grid.count(self.ratio)
        bits = noise.bits(n)
        guided = int(Fraction(repr(self.share)) * count)
        if guided == 0 and not self.hint:
            return hide_lowest(bits, count).reshape(-1, *grid.shape)
        order = self._order(flat_map(self.name, self.scores, maps), noise)
        keys = bits | (~_first(order, guided, noise)).astype(np.uint64) << np.uint64(32)
        hidden = hide_lowest(keys, count)
        if self.hint:
            reach = Fraction(repr(self.hint)) * n
            eligible = hidden & _first(order, int(reach), noise)
            again = noise.bits(n, HINT_STREAM) | (~eligible).astype(np.uint64) << np.uint64(32)
            hidden &= ~(hide_lowest(again, int(reach * Fraction(repr(self.ratio)))) & eligible)
        return hidden.reshape(-1, *grid.shape)

    def _order(self, scores: NDArray[np.float64], noise: Noise) -> NDArray[np.float64]:
        """Numbers whose lowest are hidden first, [count, n]."""
        if self.hide.startswith("sample"):
            uniform = noise.uniform(scores.shape[1], GUIDE_STREAM) + 2.0**-33
            scores = self._log_weights(scores) - np.log(-np.log(uniform))
        return -scores if self.hide in ("top", "sample") else scores

    def _log_weights(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.softmax:
            return scores / self.temperature
        lifted = scores - np.minimum(scores.min(axis=1, keepdims=True), 0)
        top = lifted.max(axis=1, keepdims=True)
        even = np.where(top > 0, lifted / np.where(top > 0, top, 1), 1)
        return np.log(even + FLOOR) / self.temperature


def _first(order: NDArray[np.float64], count: int, noise: Noise) -> NDArray[np.bool_]:
    """Mark the `count` lowest of each row, equal ones at random, bool [rows, n]."""
    n = order.shape[1]
    if count <= 0 or count >= n:
        return np.full(order.shape, count >= n)
    last = np.partition(order, count - 1, axis=1)[:, count - 1 : count]
    sure, level = order < last, order == last
    open_places = count - np.count_nonzero(sure, axis=1)
    rows = np.flatnonzero(np.count_nonzero(level, axis=1) != open_places)
    if len(rows):
        bits = noise.bits(n, GUIDE_STREAM + 1)[rows].astype(np.uint64)
        keys = bits | (~level[rows]).astype(np.uint64) << np.uint64(32)
        level[rows] = hide_lowest(keys, open_places[rows])
    return sure | level
