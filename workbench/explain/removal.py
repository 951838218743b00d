"""What "removed" means: painted over, or missing inside the network."""

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.errors import BadInput, nearest, shown
from workbench.explain.answering import Answers, stretched
from workbench.fills import FILLS, Fill
from workbench.interventions import INTERVENTIONS, Intervention, intervene
from workbench.masks import Grid, Mask
from workbench.models.network import Network

INSIDE = ("drop_tokens", "hide_keys", "layer_mask")
BATCH = 16
MORE = 4  # times as many pictures, of few tokens, that a batch may hold
CELLS = 8  # along the shorter side of a small picture, at least
SLICE = 4  # pictures with masks that a convnet takes together on a CPU: more leave the cache
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Removal:
    """One way of removing cells of a picture: a fill, or an intervention that hides them.

    `str(removal)` is the recipe of either.
    """

    operator: Fill | Intervention

    def __str__(self) -> str:
        """Return the recipe."""
        return str(self.operator)

    @property
    def paints(self) -> bool:
        """Whether another picture is shown; otherwise parts are missing inside the network."""
        return isinstance(self.operator, Fill)

    def picture(self, image: NDArray[np.float32], hidden: Bools, seed: int = 0) -> Tensor:
        """What the network is shown: `image` [3, h, w] with each of `hidden` [n, h, w] painted.

        Raises:
            BadInput: nothing is painted by this operator.
        """
        if not isinstance(self.operator, Fill):
            raise BadInput(
                f"{self} shows no other picture, and this method needs one to compare with; "
                "remove with grey, black, mean, blur or neighbour."
            )
        many = np.broadcast_to(image, (len(hidden), *image.shape)).astype(np.float32)
        return torch.from_numpy(self.operator.apply(many, hidden, seed))

    def check(self, network: Network) -> None:
        """Say if the network cannot be asked in this way.

        Raises:
            BadInput: an intervention of another kind of network.
        """
        if isinstance(self.operator, Intervention) and network.kind not in self.operator.on:
            better = {"convnet": "layer_mask, or ", "vit": "drop_tokens or hide_keys, or "}
            raise BadInput(
                f"removing by {self.operator.name} does not go with {network.name}; take "
                f"{better.get(network.kind, '')}a fill such as grey."
            )

    def answers(
        self,
        network: Network,
        image: NDArray[np.float32],
        precision: str = "fp32",
        seed: int = 0,
        said: Tensor | None = None,
    ) -> Answers:
        """Whom to ask about one picture [3, h, w] with this and that removed, again and again.

        `said` are the scores [1, classes] of the whole picture, where they are known.

        Raises:
            BadInput: as `check`, or an unknown precision.
        """
        self.check(network)
        return Answers(self.operator, self.each, network, image, precision, seed, said)

    def logits(
        self,
        network: Network,
        image: NDArray[np.float32],
        hidden: Bools,
        *,
        batch: int = BATCH,
        precision: str = "fp32",
    ) -> Tensor:
        """Scores [n, classes] of one picture [3, h, w] with each of `hidden` [n, rows, cols]."""
        parts = list(self.stream(self.answers(network, image, precision), hidden, batch=batch))
        out = parts[0][1].new_zeros(len(hidden), parts[0][1].shape[1])
        for rows, scores in parts:
            out[rows] = scores
        return out

    def stream(
        self, answers: Answers, hidden: Bools, *, batch: int = BATCH
    ) -> Generator[tuple[Tensor, Tensor]]:
        """As `logits`, at most `batch` pictures at a time, in any order: (rows, their scores).

        Where tokens are dropped they are more, up to `MORE` times as many: as have the tokens of
        `batch` whole ones.

        Raises:
            BadInput: masks that hide everything where something must be visible.
        """
        for rows in self._batches(hidden, batch, answers):
            scores = answers(hidden[rows]).cpu()
            yield torch.from_numpy(rows), scores

    def each(
        self, network: Network, pictures: NDArray[np.float32], hidden: Bools, seed: int = 0
    ) -> Tensor:
        """Scores [b, classes] of pictures [b, 3, h, w], each with its own cells [b, rows, cols].

        Raises:
            BadInput: as `stream`; dropped tokens must be equally many in every picture.
        """
        if isinstance(self.operator, Fill):
            size = (pictures.shape[2], pictures.shape[3])
            painted = self.operator.apply(pictures, stretched(hidden, size), seed)
            return network.logits(painted)
        self._refuse_all(hidden)
        grid = Grid(hidden.shape[1], hidden.shape[2], patch=network.patch)
        step = len(hidden)
        if network.kind == "convnet" and network.device.type == "cpu":
            step = SLICE
        out: list[Tensor] = []
        for first in range(0, len(hidden), step):
            part = slice(first, first + step)
            with intervene(network, self.operator, mask=Mask(hidden[part], grid)):
                out.append(network.logits(pictures[part]))
        return torch.cat(out)

    def _refuse_all(self, hidden: Bools) -> None:
        if hidden.reshape(len(hidden), -1).all(1).any():
            raise BadInput(
                f"everything is removed, which {self.operator.name} cannot answer; leave a cell "
                "visible, or remove with a fill."
            )

    def _batches(self, hidden: Bools, batch: int, answers: Answers) -> Generator[NDArray[np.int64]]:
        """Row numbers; dropped tokens are equally many in a batch, or about as many if `ragged`."""
        order = np.arange(len(hidden))
        groups, left = [order], np.ones(len(hidden))
        if getattr(self.operator, "name", "") == "drop_tokens":
            counts = hidden.reshape(len(hidden), -1).sum(1)
            groups = [counts.argsort(kind="stable")]
            if not answers.ragged:
                groups = [order[counts == each] for each in np.unique(counts)]
            if answers.by_tokens:
                left = 1 - counts / hidden[0].size
        for group in groups:
            first = 0
            while first < len(group):  # the first of a batch has the most tokens
                count = int(batch / max(float(left[group[first]]), 1 / MORE))
                yield group[first : first + count]
                first += count


def removal(recipe: "str | Removal | Fill | Intervention") -> Removal:
    """Return the operator that a recipe names: any fill, drop_tokens, hide_keys or layer_mask.

    Raises:
        BadInput: neither, or a transparent fill, with which there is nothing to show a network.
    """
    if isinstance(recipe, Removal):
        return recipe
    if isinstance(recipe, Fill | Intervention):
        return Removal(recipe)
    name = recipe.partition("(")[0].strip() if isinstance(recipe, str) else ""  # pyright: ignore[reportUnnecessaryIsInstance]
    if name in INSIDE:
        return Removal(INTERVENTIONS.parse(recipe))
    if name not in FILLS.names() or FILLS.get(name).transparent:
        known = [each for each in FILLS.names() if not FILLS.get(each).transparent]
        raise BadInput(
            f"{shown(recipe)} removes nothing that is known; choose one of: "
            f"{', '.join([*known, *INSIDE])}{nearest(name, [*known, *INSIDE])}."
        )
    return Removal(FILLS.parse(recipe))


def cells_of(network: Network, size: tuple[int, int]) -> Grid:
    """The cells that are removed where nothing else is said: a transformer's patches.

    In a convnet squares of 16 pixels, smaller where fewer than 8 would stand along a side.
    """
    if network.kind != "convnet":
        return network.grid
    side = max(1, min(16, min(size) // CELLS))
    return Grid(size[0] // side, size[1] // side, patch=side)
