"""Zero or scale what the MLPs of some blocks add."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor

from workbench.interventions.intervention import ON_BLOCKS, Intervention, Layers
from workbench.interventions.opened import Opened
from workbench.models.network import Kind
from workbench.params import Knob


@dataclass(frozen=True, kw_only=True)
class MlpsOff(Intervention):
    """Multiply what MLPs give by `scale`; at 0 they are not run at all."""

    always_print: ClassVar[tuple[str, ...]] = ("layers",)
    on: ClassVar[tuple[Kind, ...]] = ON_BLOCKS
    idle: ClassVar[str] = "mlps_off(scale=1.0)"

    layers: Layers = None
    scale: Annotated[float, Knob("what is left of them, 1 = all", -8, 8, 0.05, None, 2)] = 0.0

    def install(self, opened: Opened) -> None:
        """Scale each MLP's output, or replace the MLP by zero."""
        for layer in opened.layers(self.layers):
            if self.scale == 0:
                opened.instead(opened.network.mlp_end(layer), _nothing)
                if opened.network.mlp_end(layer) is not opened.network.mlp(layer):
                    opened.instead(opened.network.mlp(layer), _nothing)
            else:
                opened.after(opened.network.mlp_end(layer), self._scaled)

    def _scaled(self, args: tuple[Any, ...], out: Tensor) -> Tensor:
        return out * self.scale


def _nothing(x: Tensor) -> Tensor:
    return torch.zeros_like(x)
