"""Keep only the largest activations of each token in the MLPs (lazy neurons)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from workbench.interventions.intervention import ON_BLOCKS, Intervention, Layers
from workbench.interventions.opened import Opened
from workbench.models.network import Kind
from workbench.params import Knob


@dataclass(frozen=True, kw_only=True)
class TopK(Intervention):
    """Zero all but each token's largest numbers among those that an MLP's second layer reads.

    floor(share * width + 0.5) activations stay, by their value, or by their size where `by` is
    "size" (GELU gives negative ones too).
    """

    paper: ClassVar[str] = "arXiv:2210.06313"
    always_print: ClassVar[tuple[str, ...]] = ("share",)
    on: ClassVar[tuple[Kind, ...]] = ON_BLOCKS
    idle: ClassVar[str] = "top_k(share=1.0)"

    share: Annotated[float, Knob("share of the activations that stays", 0, 1, 0.01)] = 0.1
    by: Annotated[str, Knob("what is largest", choices=("value", "size"))] = "value"
    layers: Layers = None

    def install(self, opened: Opened) -> None:
        """Zero the rest in the chosen layers."""
        for layer in opened.layers(self.layers):
            opened.input(opened.network.mlp(layer).fc2, self._largest)

    def _largest(self, x: Tensor) -> Tensor:
        width = x.shape[-1]
        count = int(self.share * width + 0.5)
        if count >= width:
            return x
        if count == 0:
            return torch.zeros_like(x)
        index = (x if self.by == "value" else x.abs()).topk(count, dim=-1).indices
        keep = torch.zeros_like(x, dtype=torch.bool).scatter(-1, index, True)
        return torch.where(keep, x, 0)
