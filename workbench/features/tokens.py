"""What a transformer holds after a block: one vector a patch of every picture."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from workbench.errors import BadInput
from workbench.interventions.intervention import exclusively
from workbench.models.network import Images, Network, network_of
from workbench.models.precision import threads_for

BATCH = 16


def layer_tokens(
    model: Any,
    images: Images,
    layer: int = -1,
    *,
    batch: int = BATCH,
    watch: Callable[[int, int], bool | None] | None = None,
) -> Tensor:
    """Patch tokens after a block, float32 [b, patches, d], on the CPU, without class token.

    Args:
        model: a transformer, whatever `network_of` understands.
        images: float [b, 3, h, w] in [0, 1].
        layer: after which block, 0 the first, -1 the last; before the final norm.
        batch: pictures at a time.
        watch: called with pictures done and all.

    Raises:
        BadInput: no such layer, or a network whose blocks give no sequence of tokens.
    """
    network = network_of(model)
    at = network.check_layer(layer)
    found: list[Tensor] = []
    with torch.no_grad(), exclusively(network), threads_for(network.work(batch)):
        for first in range(0, len(images), batch):
            out = output_of(network, network.blocks[at], images[first : first + batch])
            found.append(patches_of(network, out).float().cpu())
            if watch is not None:
                watch(min(first + batch, len(images)), len(images))
    return torch.cat(found)


class _Enough(Exception):
    """What was wanted is there; the layers that follow need not run."""


def output_of(network: Network, module: Any, images: Images) -> Tensor:
    """What a module of a network gives for pictures; whatever comes after it does not run."""
    kept: list[Tensor] = []

    def keep(module: Any, args: Any, out: Tensor) -> None:
        kept.append(out)
        raise _Enough

    handle = module.register_forward_hook(keep)
    try:
        network.features(images)
    except _Enough:
        pass
    finally:
        handle.remove()
    return kept[0]


def patches_of(network: Network, out: Tensor) -> Tensor:
    """The patch tokens of a block's output [b, tokens, d].

    Raises:
        BadInput: windows or maps in place of a sequence.
    """
    if out.ndim != 3 or out.shape[1] != network.prefix + network.grid.size:
        raise BadInput(
            f"a block of {network.name} gives {tuple(out.shape)}, wanted one token a patch and "
            f"{network.prefix} before them; take a plain ViT."
        )
    return out[:, network.prefix :]
