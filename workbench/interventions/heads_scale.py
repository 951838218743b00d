"""Scale what attention heads give: 1 leaves a head as it is, 0 switches it off."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch

from workbench.errors import BadInput
from workbench.interventions.gates import gate
from workbench.interventions.intervention import ON_BLOCKS, Intervention, Layer
from workbench.interventions.opened import Opened
from workbench.models.network import Kind
from workbench.params import Knob


@dataclass(frozen=True, kw_only=True)
class HeadsScale(Intervention):
    """Multiply the outputs of a block's heads, before its projection mixes them, by gates.

    `gates` holds one number for all heads, or one a head.
    """

    paper: ClassVar[str] = "arXiv:1905.10650"
    always_print: ClassVar[tuple[str, ...]] = ("layer", "gates")
    on: ClassVar[tuple[Kind, ...]] = ON_BLOCKS
    idle: ClassVar[str] = "heads_scale(gates=[1.0])"

    layer: Layer = -1
    gates: Annotated[
        tuple[float, ...], Knob("gates, one for all heads or one a head", -8, 8, 0.05, None, 2)
    ] = (0.5,)

    def install(self, opened: Opened) -> None:
        """Set the gates."""
        layer = opened.network.check_layer(self.layer)
        heads = opened.network.heads[layer]
        if len(self.gates) not in (1, heads):
            raise BadInput(
                f"gates has {len(self.gates)} numbers, but block {layer} of "
                f"{opened.network.name} has {heads} heads; give 1 or {heads}."
            )
        gate(opened, layer, torch.tensor(self.gates).expand(heads))
