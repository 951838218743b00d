"""Gates on what goes into a layer: noisy while they are learnt, without a trace afterwards."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from workbench.errors import BadInput


@dataclass(frozen=True)
class Gate:
    """A layer whose inputs are gated in `units` of `size` inputs each (a head, or one number)."""

    layer: nn.Linear
    units: int
    size: int

    def columns(self, dropped: Tensor) -> Tensor:
        """Bits of the layer's weight whose inputs belong to dropped units, [outputs, inputs]."""
        wide = dropped.repeat_interleave(self.size)
        return wide.expand(self.layer.out_features, -1).clone()


def gates(model: nn.Module, weights: Mapping[str, Tensor]) -> dict[str, Gate]:
    """Return the gates of the layers that own `weights`, by the weights' names.

    The projection behind attention is gated by heads, every other linear layer by single inputs.

    Raises:
        BadInput: no linear layer is among them.
    """
    found: dict[str, Gate] = {}
    for name in weights:
        path = name.removesuffix(".weight")
        layer = model.get_submodule(path)
        if not isinstance(layer, nn.Linear):
            continue
        owner, _, last = path.rpartition(".")
        heads = _heads(model.get_submodule(owner)) if last == "proj" else None
        units = heads or layer.in_features
        found[name] = Gate(layer, units, layer.in_features // units)
    if not found:
        raise BadInput(
            "gates need linear layers, and this network has none that may be hidden; "
            "take magnitude or rows."
        )
    return found


def _heads(attention: nn.Module) -> int | None:
    for each in ("num_heads", "heads"):
        found: Any = getattr(attention, each, None)
        if isinstance(found, int):
            return found
    return None


@contextmanager
def gated(layers: Mapping[str, Gate], draw: Callable[[str], Tensor]) -> Generator[None]:
    """Multiply what goes into each layer by `draw(name)`, one number a unit, while inside."""

    def before(name: str, size: int) -> Callable[[nn.Module, tuple[Any, ...]], tuple[Any, ...]]:
        def hook(_: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
            gate = draw(name).repeat_interleave(size)
            return (inputs[0] * gate.to(inputs[0].dtype), *inputs[1:])

        return hook

    handles = [
        gate.layer.register_forward_pre_hook(before(name, gate.size))
        for name, gate in layers.items()
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL of multiplicative gates to their prior: sum of log(1 + mean^2 / variance) / 2."""
    return 0.5 * torch.log1p(mean.square() / log_variance.exp()).sum()
