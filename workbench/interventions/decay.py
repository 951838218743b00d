"""Let attention fade with distance: Manhattan decay (RMT)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch

from workbench.errors import BadInput
from workbench.interventions.intervention import Intervention, Layers
from workbench.interventions.opened import Opened
from workbench.interventions.structures import offsets, structure
from workbench.params import Knob


@dataclass(frozen=True, kw_only=True)
class Decay(Intervention):
    """Weigh what a patch reads by gamma ** (rows + columns between them) before normalising.

    RMT multiplies after the softmax; here its logarithm is added before, so that rows sum to 1.
    With 1 nothing fades, with 0 a patch reads itself and the tokens in front of the patches.
    """

    paper: ClassVar[str] = "arXiv:2309.11523"
    always_print: ClassVar[tuple[str, ...]] = ("gammas",)
    idle: ClassVar[str] = "decay(gammas=[1.0])"

    gammas: Annotated[
        tuple[float, ...], Knob("what is left a step, one for all heads or one a head", 0, 1, 0.01)
    ] = (0.8,)
    layers: Layers = None

    def install(self, opened: Opened) -> None:
        """Add steps * log(gamma)."""
        rows, cols = offsets(opened.network.grid)
        apart, gammas = rows + cols, torch.tensor(self.gammas)[:, None, None]
        bias = torch.where(apart == 0, 0.0, apart * gammas.log())
        for layer in opened.layers(self.layers):
            heads = opened.network.heads[layer]
            if len(self.gammas) not in (1, heads):
                raise BadInput(
                    f"gammas has {len(self.gammas)} numbers, but block {layer} of "
                    f"{opened.network.name} has {heads} heads; give 1 or {heads}."
                )
            structure(opened, [layer], bias)
