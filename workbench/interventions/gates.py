"""Gates on the outputs of attention heads, before they are mixed (Michel et al. 2019)."""

from torch import Tensor

from workbench.errors import BadInput
from workbench.interventions.opened import Opened


def gate(opened: Opened, layer: int, gates: Tensor) -> None:
    """Multiply what each head of a layer gives by its gate, float [heads]."""

    def change(x: Tensor) -> Tensor:
        apart = x.unflatten(-1, (len(gates), -1))
        return (apart * gates.to(x)[:, None]).flatten(-2)

    opened.input(opened.network.attention(layer).proj, change)


def check_head(opened: Opened, layer: int, head: int) -> int:
    """The head counted from 0; -1 is the last.

    Raises:
        BadInput: no such head.
    """
    heads = opened.network.heads[layer]
    if not -heads <= head < heads:
        raise BadInput(
            f"heads has {head}, but block {layer} of {opened.network.name} has {heads} heads; "
            f"take 0 to {heads - 1}."
        )
    return head % heads
