"""What a network says of many versions of one picture, by the quickest way that says the same."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.errors import BadInput
from workbench.fills import Fill
from workbench.interventions import Intervention
from workbench.interventions.drop_tokens import DropTokens
from workbench.interventions.opened import GIVEN
from workbench.models.network import Network
from workbench.models.quick import QuickTokens, alike, number_format, quick_network, untouched
from workbench.models.transformer import gather_tokens

Bools = NDArray[np.bool_]
FEW = 4  # pictures that a convnet takes together on a CPU: more leave the cache
Each = Callable[[Network, NDArray[np.float32], Bools], Tensor]


class Answers:
    """Scores of one picture [3, h, w] with something removed, on a quick copy of the network.

    Patches of a plain ViT are embedded once, painted or not, and tokens are exchanged or left out;
    convnets run with folded norms and packed weights; in bf16 where that is asked for. Where a copy
    could not say the same, because something hangs on the network or it is of an unknown kind, the
    network itself is asked. The copies are made here and go when this goes. `said` is what the
    network says of the whole picture, where that is known.
    """

    def __init__(
        self,
        operator: Fill | Intervention,
        each: Each,
        network: Network,
        image: NDArray[np.float32],
        precision: str = "fp32",
        seed: int = 0,
        said: Tensor | None = None,
    ) -> None:
        self.operator, self.network, self.image = operator, network, image
        self._each, self._seed = each, seed
        self._picture = torch.from_numpy(np.ascontiguousarray(image))[None].to(network.device)
        self._away: Tensor | None = None
        if isinstance(operator, Fill) and operator.fixed:
            self._away = self._painted_over(operator, seed)
        self._tokens = self._by_tokens(precision, said)
        self._quick = network
        if self._tokens is None:
            self._quick = quick_network(network, self._picture, precision)

    @property
    def by_tokens(self) -> bool:
        """Whether tokens are exchanged or left out, and no pictures shown."""
        return self._tokens is not None

    @property
    def ragged(self) -> bool:
        """Whether unequally many cells may be removed in one call."""
        dropping = isinstance(self.operator, DropTokens)
        return not dropping or (self._tokens is not None and self._tokens.ragged)

    @torch.no_grad()
    def __call__(self, hidden: Bools) -> Tensor:
        """Scores [n, classes] with each of `hidden` [n, rows, cols] removed."""
        if self._tokens is not None:
            fine = self._fine(hidden)
            if fine is not None:
                return self._of_tokens(self._tokens, fine)
        if self._away is not None:
            gone = torch.from_numpy(stretched(hidden, self.image.shape[1:]))[:, None]
            gone = gone.to(self.network.device)
            return self._of_both(self._away, lambda away, seen: torch.where(gone, away, seen))
        return self._generic(hidden)

    @torch.no_grad()
    def faded(self, seen: Tensor) -> Tensor:
        """Scores of the picture faded into what stands for nothing: seen [n, h, w], 1 = visible.

        Raises:
            BadInput: an operator that has no such picture.
        """
        seen, away = seen[:, None].to(self.network.device), self._away
        if away is None:
            if not isinstance(self.operator, Fill):
                raise BadInput(f"{self.operator} shows no other picture; remove with grey.")
            away = self._painted_over(self.operator, self._seed)
        return self._of_both(away, lambda a, b: torch.lerp(a, b, seen.to(b.dtype)))

    def _by_tokens(self, precision: str, said: Tensor | None) -> QuickTokens | None:
        network, operator = self.network, self.operator
        drops = isinstance(operator, DropTokens) and (operator.layer, operator.mask) == (0, GIVEN)
        if (
            network.kind != "vit"
            or not (drops or self._away is not None)
            or self.image.shape[1:] != network.size
            or network.dtype != torch.float32
            or not untouched(network.module)
        ):
            return None
        dtype = number_format(precision, network.device)
        try:
            quick = QuickTokens(network, dtype)
        except BadInput:
            return None
        own = quick.embedded(self._picture)
        with torch.no_grad():
            wanted = network.logits(self._picture) if said is None else said
            if not alike(wanted, quick.logits(own), dtype):
                return None
        self._embedded = own
        self._painted = None if self._away is None else quick.embedded(self._away)
        return quick

    def _fine(self, hidden: Bools) -> Tensor | None:
        """Hidden patches [n, patches]; None where cells do not consist of patches."""
        rows, cols = self.network.grid.shape
        if rows % hidden.shape[1] or cols % hidden.shape[2]:
            return None
        if self._painted is None and hidden.shape[1:] != (rows, cols):
            return None  # the intervention says what it wants
        fine = torch.from_numpy(np.ascontiguousarray(stretched(hidden, (rows, cols))))
        return fine.flatten(1).to(self.network.device)

    def _of_tokens(self, quick: QuickTokens, hidden: Tensor) -> Tensor:
        if self._painted is not None:
            return quick.logits(torch.where(hidden[..., None], self._painted, self._embedded))
        counts = (~hidden).sum(1)
        most, fewest = int(counts.max()), int(counts.min())
        if fewest == 0 or (fewest < most and not quick.ragged):
            return self._generic(hidden.view(-1, *self.network.grid.shape).cpu().numpy())
        visible = hidden.to(torch.int8).argsort(dim=1, stable=True)[:, :most]
        tokens = gather_tokens(self._embedded.expand(len(hidden), -1, -1), visible)
        if fewest == most:
            return quick.logits(tokens)
        there = torch.arange(most, device=hidden.device) < counts[:, None]
        return quick.logits(tokens, there)

    def _of_both(self, away: Tensor, join: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """Scores of what `join` makes of the picture with everything removed and as it is."""
        network = self._quick
        if self._tokens is not None:
            return self._tokens.logits(self._tokens.embedded(join(away, self._picture)))
        if network.own:
            return network.logits(join(away, self._picture))
        pictures = join(network.prepare(away), network.prepare(self._picture))
        if network.kind != "convnet":
            return network.logits_of(pictures).float()
        few = FEW if pictures.device.type == "cpu" else len(pictures)
        parts = (each.contiguous(memory_format=torch.channels_last) for each in pictures.split(few))
        return torch.cat([network.logits_of(each).float() for each in parts])

    def _generic(self, hidden: Bools) -> Tensor:
        many = np.broadcast_to(self.image, (len(hidden), *self.image.shape)).astype(np.float32)
        return self._each(self._quick, many, hidden).float()

    def _painted_over(self, fill: Fill, seed: int) -> Tensor:
        """The picture with everything removed, [1, 3, h, w]."""
        everything = np.ones((1, *self.image.shape[1:]), bool)
        painted = fill.apply(np.ascontiguousarray(self.image)[None], everything, seed)
        return torch.from_numpy(painted).to(self.network.device)


def stretched(hidden: Bools, size: tuple[int, ...]) -> Bools:
    """Cells [n, rows, cols] as pixels [n, h, w], each pixel that of the cell it lies in."""
    rows = np.arange(size[0]) * hidden.shape[1] // size[0]
    cols = np.arange(size[1]) * hidden.shape[2] // size[1]
    return hidden[:, rows[:, None], cols[None, :]]
