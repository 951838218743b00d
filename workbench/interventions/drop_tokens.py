"""Drop the tokens of hidden patches from some layer on."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from workbench.errors import BadInput
from workbench.interventions.intervention import HiddenBy, Intervention, Layer, Seed
from workbench.interventions.opened import GIVEN, Opened
from workbench.models.transformer import gather_tokens


@dataclass(frozen=True, kw_only=True)
class DropTokens(Intervention):
    """Keep only the visible patches, and the tokens before them, from a layer on.

    Positions were added before, and rotary ones go with their tokens, so that a patch stays where
    it was. Features then have fewer tokens; heads that pool read visible ones alone. With `layer=0`
    this is how a masked autoencoder hides, and the missingness of ViTs (arXiv:2204.08945).
    """

    paper: ClassVar[str] = "arXiv:2204.08945"
    always_print: ClassVar[tuple[str, ...]] = ("layer",)
    idle: ClassVar[str] = 'drop_tokens(mask="random(ratio=0.0)")'
    hides: ClassVar[bool] = True
    wants: ClassVar[tuple[str, ...]] = ("mask",)

    layer: Layer = 0
    mask: HiddenBy = GIVEN
    seed: Seed = 0

    def install(self, opened: Opened) -> None:
        """Take tokens out before the layer, and their rotary positions in all later ones."""
        network = opened.network
        start = network.check_layer(self.layer)
        hidden = opened.hidden(self.mask, self.seed)
        if not bool(hidden.any()):
            return

        turn = opened.turn()

        def change(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            x, *rest = args
            there = opened.hidden_at(hidden, start, turn)
            go_on, kept = _visible(there), opened.flow.patches(start, turn)
            known = go_on if kept is None else kept.expand(len(go_on), -1).gather(1, go_on)
            opened.flow.kept[start, turn] = known
            prefix = network.prefix
            patches = gather_tokens(x[:, prefix:], go_on.expand(len(x), -1))
            return (torch.cat([x[:, :prefix], patches], dim=1), *rest), kwargs

        opened.before(network.blocks[start], change)
        for layer in range(start, network.depth):
            opened.before(network.attention(layer), _turning(opened, layer))


def _visible(hidden: Tensor) -> Tensor:
    """Indices of what is not hidden, int64 [b, k], in order."""
    counts = (~hidden).sum(1)
    if len(set(counts.tolist())) > 1:
        raise BadInput(
            f"the masks leave {int(counts.min())} to {int(counts.max())} patches, but tokens that "
            "are dropped must be equally many in every picture; use a mask with an exact ratio."
        )
    return hidden.to(torch.int8).argsort(dim=1, stable=True)[:, : int(counts[0])]


def _turning(opened: Opened, layer: int) -> Any:
    """Rotary positions [n, d], [heads, n, d] or [b, 1, n, d] of the tokens that went on."""

    def change(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        rope, kept = kwargs.get("rope"), opened.flow.patches(layer)
        if rope is None or kept is None or rope.shape[-2] != opened.network.grid.size:
            return args, kwargs
        rope = rope.expand(1, *rope.shape[-3:]) if rope.ndim >= 3 else rope[None, None]
        at = kept[:, None, :, None].expand(-1, rope.shape[1], -1, rope.shape[-1])
        return args, {**kwargs, "rope": rope.expand(len(at), -1, -1, -1).gather(2, at)}

    return change
