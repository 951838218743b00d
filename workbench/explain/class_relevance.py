"""Gradient-weighted attention: which patches a class rests on (Chefer et al.)."""

from typing import Any

import torch
from torch import Tensor

from workbench.errors import BadInput
from workbench.explain.attention import AttentionMaps, placed
from workbench.explain.watching import watching
from workbench.interventions.intervention import exclusively
from workbench.models.network import Images, Network, network_of


def relevance(
    model: Any, images: Images, target: int | Tensor | None = None, *, query: int | None = None
) -> Tensor:
    """Relevance of each patch for a class, [b, rows, cols], never negative.

    R starts as the identity; for each block R <- R + mean over heads of (dA * A)+ times R, where dA
    is the gradient of the class's score by the attention map; then the class token's row of R, or
    the mean of the patches' rows where a network has none (arXiv:2103.15679,
    `Transformer-MM-Explainability`). dA of a fused kernel is that of the heads' outputs times the
    values, so that nothing is switched.

    Args:
        model: whatever `network_of` understands.
        images: float [b, 3, h, w] in [0, 1].
        target: class, one for all pictures or int64 [b]; None for the highest score. Class 0 is a
            class like any other. Of a network without a head None stands for half the squared
            length of its pooled features, and a number for that feature.
        query: a patch whose row is wanted in place of the class token's.

    Raises:
        BadInput: a network without maps, or no such class or patch.
    """
    network = network_of(model)
    network.check_maps()
    if query is not None and not 0 <= query < network.grid.size:
        raise BadInput(f"the query is patch {query}, wanted 0 to {network.grid.size - 1}.")
    found = _weighted(network, images, target)
    total = network.prefix + network.grid.size
    row = found.tokens.new_zeros(len(found.tokens), 1, total)
    if query is not None:
        row[..., network.prefix + query] = 1
    elif network.class_token:
        row[..., 0] = 1
    else:
        row[..., network.prefix :] = 1 / network.grid.size
    for layer in reversed(found.layers):
        row = row + row @ found.full(layer).mean(1)
    return row[:, 0, network.prefix :].unflatten(1, (network.grid.rows, network.grid.cols))


def _weighted(network: Network, images: Images, target: int | Tensor | None) -> AttentionMaps:
    """(dA * A)+ of every head in place of its map."""
    pictures = torch.as_tensor(images, dtype=network.dtype, device=network.device)
    pictures = pictures.detach().clone().requires_grad_(True)
    with (
        torch.enable_grad(),
        exclusively(network),
        watching(network, range(network.depth), values=True) as watch,
    ):
        scores = network.logits(pictures)
        if target is None and not network.classes:
            chosen = scores.square().sum() / 2
        else:
            chosen = scores.gather(1, class_of(scores, target)[:, None]).sum()
        layers = sorted(watch.maps)
        through = watch.maps if network.own else watch.outputs
        asked = torch.autograd.grad(chosen, [through[layer] for layer in layers])
        weighted: dict[int, Tensor] = {}
        for layer, gradient in zip(layers, asked, strict=True):
            if not network.own:
                apart = gradient.unflatten(-1, (network.heads[layer], -1)).transpose(1, 2)
                gradient = apart @ watch.values[layer].transpose(-1, -2)
            weighted[layer] = (watch.maps[layer] * gradient).clamp(min=0).detach()
        return placed(network, weighted, scores.detach())


def class_of(scores: Tensor, target: int | Tensor | None) -> Tensor:
    """The class to explain of each picture, int64 [b].

    Raises:
        BadInput: no such class.
    """
    if target is None:
        return scores.argmax(1)
    chosen = torch.as_tensor(target, device=scores.device).expand(len(scores))
    if bool(((chosen < 0) | (chosen >= scores.shape[1])).any()):
        raise BadInput(
            f"the target is class {chosen.tolist()}, but there are {scores.shape[1]}; take 0 to "
            f"{scores.shape[1] - 1}."
        )
    return chosen.long()
