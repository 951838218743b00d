"""Mean of random masks, weighted by what the network still says (RISE)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from workbench.explain.methods.method import Asked, Map, Method, Search, Step
from workbench.explain.removal import MORE
from workbench.params import Knob

BY_NEIGHBOURS = ("neighbour",)  # what is painted depends on what is left: no fading into it


@dataclass(frozen=True, kw_only=True)
class Rise(Method):
    """S = sum_i score(x seen through M_i) M_i / (p n), M_i smooth random masks.

    Petsiuk et al.; official file `explanations.py`: `cells` x `cells` bits, each 1 with `keep`,
    stretched bilinearly to one cell more and cut out at a random shift. Where the operator is a
    fill, the picture fades into it; where parts go missing inside the network, or are filled from
    their neighbours, the cells with the lowest values of the mask are removed. Scores are
    probabilities, as there.
    """

    paper: ClassVar[str] = "arXiv:1806.07421"
    removes: ClassVar[bool] = True
    signed: ClassVar[bool] = False
    always_print: ClassVar[tuple[str, ...]] = ("count",)

    count: Annotated[int, Knob("masks", 1, 100_000, 1, None, 4000)] = 1000
    cells: Annotated[int, Knob("bits on a side", 2, 64, 1, None, 16)] = 7
    keep: Annotated[float, Knob("share that is visible", 0.01, 0.99, 0.05)] = 0.5

    def search(self, asked: Asked) -> Search:
        """See `Method.search`."""
        height, width = asked.image.shape[1:]
        total, done = np.zeros((height, width)), 0
        rng = np.random.default_rng(asked.seed)
        dropped = asked.removal.operator.name == "drop_tokens" and asked.answers.by_tokens
        most = int(asked.batch / max(self.keep, 1 / MORE)) if dropped else asked.batch
        while done < self.count:
            count = min(most, self.count - done)
            masks = smooth_masks(rng, count, self.cells, self.keep, (height, width))
            if asked.removal.paints and asked.removal.operator.name not in BY_NEIGHBOURS:
                scores = self._faded(asked, masks)
            else:
                masks, scores = self._missing(asked, masks)
            total += np.tensordot(scores, masks, 1)
            done += count
            yield Step(done, self.count)
        return (total / (self.keep * self.count)).astype(np.float32)

    def _faded(self, asked: Asked, masks: NDArray[np.float32]) -> NDArray[np.float64]:
        scores = asked.answers.faded(torch.from_numpy(masks))
        said = asked.network.shares(scores)[:, asked.target]
        asked.shown += len(masks)
        return said.double().cpu().numpy()

    def _missing(
        self, asked: Asked, masks: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        cells = F.interpolate(torch.from_numpy(masks)[:, None], asked.grid.shape, mode="area")
        order = cells.flatten(1).argsort(dim=1, stable=True)
        hidden = torch.zeros(order.shape, dtype=torch.bool)
        hidden.scatter_(1, order[:, : round((1 - self.keep) * order.shape[1])], True)
        hidden = hidden.view(len(masks), *asked.grid.shape)
        scores = asked.answers(hidden.numpy())
        said = asked.network.shares(scores)[:, asked.target]
        asked.shown += len(masks)
        seen = F.interpolate((~hidden)[:, None].float(), asked.image.shape[1:], mode="nearest")
        return seen[:, 0].numpy(), said.double().numpy()


def smooth_masks(
    rng: np.random.Generator, count: int, cells: int, keep: float, size: tuple[int, int]
) -> Map:
    """Random masks, float32 [count, h, w], 1 = visible; the mean is `keep` at every pixel."""
    height, width = size
    step = (-(-height // cells), -(-width // cells))
    bits = torch.from_numpy((rng.random((count, 1, cells, cells)) < keep).astype(np.float32))
    one_more = ((cells + 1) * step[0], (cells + 1) * step[1])
    large = F.interpolate(bits, one_more, mode="bilinear", align_corners=False)[:, 0]
    tops, lefts = rng.integers(0, step[0], count), rng.integers(0, step[1], count)
    out = np.empty((count, height, width), np.float32)
    for each, whole, top, left in zip(out, large.numpy(), tops, lefts, strict=True):
        each[:] = whole[top : top + height, left : left + width]
    return out
