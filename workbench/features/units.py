"""Single numbers of a network, differentiable in its picture: a class, a channel, a latent."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.errors import BadInput
from workbench.features.sparse_code import SparseCode
from workbench.features.tokens import output_of, patches_of
from workbench.models.network import Network, network_of
from workbench.models.precision import threads_for

Unit = Callable[[Tensor], Tensor]
WORDS = re.compile(r"(?:(class|latent):(\d+)|(?:(-?\d+):)(\d+))")


def unit_named(model: Any, name: str, code: SparseCode | None = None, layer: int = -1) -> Unit:
    """A unit by its name; it maps pictures [b, 3, h, w] in [0, 1] to numbers [b].

    "class:5" is a class's score; "3:17" channel 17 of the patch tokens after block 3 (or of the map
    after stage 3 of a convnet), as a mean over places; "latent:40" the largest activation of a
    latent of `code` on the patches after block `layer`.

    Raises:
        BadInput: another name, or no such unit.
    """
    network = network_of(model)
    told = WORDS.fullmatch(name.strip())
    if told is None:
        raise BadInput(
            f"{name!r} names no unit; write class:5, 3:17 (channel 17 after block 3) or latent:40."
        )
    if told[1] == "class":
        return _class(network, int(told[2]))
    if told[1] == "latent":
        if code is None or int(told[2]) >= code.shape.latents:
            there = "none is given" if code is None else f"the code has {code.shape.latents}"
            raise BadInput(f"{name}: {there}; train one with `features learn` and name it.")
        return _latent(network, code, layer, int(told[2]))
    return _channel(network, int(told[3]), int(told[4]))


def _class(network: Network, number: int) -> Unit:
    if not 0 <= number < network.classes:
        raise BadInput(
            f"class {number} is not there; {network.name} has {network.classes} classes."
        )
    return lambda images: network.logits(images)[:, number]


def _latent(network: Network, code: SparseCode, layer: int, number: int) -> Unit:
    block = network.blocks[network.check_layer(layer)]

    def value(images: Tensor) -> Tensor:
        patches = patches_of(network, output_of(network, block, images)).to(code.bias)
        patches = patches / code.scale - code.bias
        return (patches @ code.encoder[number] + code.encoder_bias[number]).amax(1)

    return value


def _channel(network: Network, layer: int, channel: int) -> Unit:
    parts: Any = network.blocks or [stage.module for stage in network.stages]
    if not -len(parts) <= layer < len(parts):
        raise BadInput(f"layer {layer} is not there; {network.name} has {len(parts)}.")

    def value(images: Tensor) -> Tensor:
        out = output_of(network, parts[layer], images)
        found = out.mean((2, 3)) if out.ndim == 4 else patches_of(network, out).mean(1)
        if channel >= found.shape[1]:
            raise BadInput(f"channel {channel} is not there; take 0 to {found.shape[1] - 1}.")
        return found[:, channel]

    return value


def values_of(unit: Unit, images: Any, batch: int = 16) -> Tensor:
    """A unit on pictures float [b, 3, h, w], float32 [b] on the CPU."""
    pictures = torch.as_tensor(images, dtype=torch.float32)
    with torch.no_grad():
        parts = [unit(each).float().cpu() for each in pictures.split(batch)]
    return torch.cat(parts)


def codes_of(model: Any, images: Any, batch: int = 16) -> NDArray[np.float32]:
    """What the last layer makes of pictures, as means over places, [n, d]: codes to group by."""
    network = network_of(model)
    pictures = torch.as_tensor(images, dtype=torch.float32)
    found: list[Tensor] = []
    with torch.no_grad(), threads_for(network.work(batch)):
        for part in pictures.split(batch):
            out = network.features(part)
            pooled = out.mean((2, 3)) if out.ndim == 4 else patches_of(network, out).mean(1)
            found.append(pooled.float().cpu())
    return torch.cat(found).numpy()
