"""Switch attention heads off: what they give becomes zero."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch

from workbench.interventions.gates import check_head, gate
from workbench.interventions.intervention import ON_BLOCKS, Intervention, Layer
from workbench.interventions.opened import Opened
from workbench.models.network import Kind
from workbench.params import Knob


@dataclass(frozen=True, kw_only=True)
class HeadsOff(Intervention):
    """Zero the outputs of some heads of one block before they are mixed by its projection.

    The projection's bias stays. Equal to zeroing these heads' columns of the projection.
    """

    paper: ClassVar[str] = "arXiv:1905.10650"
    always_print: ClassVar[tuple[str, ...]] = ("layer", "heads")
    on: ClassVar[tuple[Kind, ...]] = ON_BLOCKS
    idle: ClassVar[str] = "heads_off(heads=[])"

    layer: Layer = -1
    heads: Annotated[tuple[int, ...], Knob("heads, such as [0, 5]; -1 the last", -512, 511, 1)] = (
        0,
    )

    def install(self, opened: Opened) -> None:
        """Set gates of 0."""
        layer = opened.network.check_layer(self.layer)
        gates = torch.ones(opened.network.heads[layer])
        for head in self.heads:
            gates[check_head(opened, layer, head)] = 0.0
        if self.heads:
            gate(opened, layer, gates)
