"""What every attribution method shares: knobs, a question in, a map out, step by step."""

from collections.abc import Generator
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.errors import BadInput
from workbench.explain.answering import Answers
from workbench.explain.removal import Bools, Removal
from workbench.masks import Grid
from workbench.models.network import Network
from workbench.registry import Member

Map = NDArray[np.float32]


@dataclass(frozen=True)
class Step:
    """Pictures shown so far, of how many."""

    done: int
    total: int


Search = Generator[Step, None, Map]


@dataclass(eq=False)
class Asked:
    """One question: why does the network say `target` of `image` (float32 [3, h, w] in [0, 1])?

    `grid` is the lattice of the cells that are removed, `precision` that of the answers. Methods
    count what they show in `shown` and leave numbers in `notes`.
    """

    network: Network
    image: NDArray[np.float32]
    target: int
    removal: Removal
    grid: Grid
    seed: int = 0
    batch: int = 16
    precision: str = "fp32"
    said: Tensor | None = None
    shown: int = 0
    notes: dict[str, float] = field(default_factory=dict[str, float])

    @property
    def pixels(self) -> Tensor:
        """The picture as a batch of one, [1, 3, h, w], on the network's device."""
        return torch.from_numpy(self.image)[None].to(self.network.device)

    def of(self, images: Tensor) -> Tensor:
        """Score of the class for pictures [b, 3, h, w] in [0, 1], [b]; gradients pass."""
        self.shown += len(images)
        return self.network.logits(images)[:, self.target]

    @cached_property
    def answers(self) -> Answers:
        """Who says what is left of a score when cells are removed."""
        return self.removal.answers(self.network, self.image, self.precision, self.seed, self.said)

    def without(self, hidden: Bools) -> Generator[Step, None, NDArray[np.float64]]:
        """Scores [n] of the class with each of `hidden` [n, rows, cols] removed."""
        out = np.zeros(len(hidden))
        done = 0
        for rows, scores in self.removal.stream(self.answers, hidden, batch=self.batch):
            out[rows.numpy()] = scores[:, self.target].double().numpy()
            done += len(rows)
            self.shown += len(rows)
            yield Step(done, len(hidden))
        return out

    def falls(self, hidden: Bools) -> Generator[Step, None, NDArray[np.float64]]:
        """How much lower the score is with each of `hidden` removed than with nothing removed."""
        nothing = np.zeros((1, *hidden.shape[1:]), bool)
        scores = yield from self.without(np.concatenate([nothing, hidden]))
        return scores[0] - scores[1:]


@dataclass(frozen=True, kw_only=True)
class Method(Member):
    """A way of attributing: frozen knobs and one `search`.

    `removes` says whether the removal operator is used, `paints` whether it must be a fill, and
    `signed` whether values below zero speak against the class.
    """

    always_print: ClassVar[tuple[str, ...]] = ()
    described: ClassVar[tuple[str, ...]] = ("paper", "removes", "paints", "signed")
    removes: ClassVar[bool] = False
    paints: ClassVar[bool] = False
    signed: ClassVar[bool] = True

    def search(self, asked: Asked) -> Search:
        """Return the map, [h, w] or [rows, cols]; yields progress."""
        raise NotImplementedError


def channels_summed(values: Tensor) -> Map:
    """[1, 3, h, w] to [h, w]."""
    return values.detach().sum(1)[0].float().cpu().numpy()


def of_the_shape(cells: NDArray[np.floating], grid: Grid) -> Map:
    """A flat list of cells as rows and columns."""
    if len(cells) != grid.size:
        raise BadInput(f"{len(cells)} values came for {grid.size} cells; attribute again.")
    return np.asarray(cells, np.float32).reshape(grid.shape)
