"""Attention that follows the lattice: which patches may read which, and how strongly."""

from typing import Any

import torch
from torch import Tensor

from workbench.errors import BadInput
from workbench.interventions.opened import Opened
from workbench.masks import Grid


def offsets(grid: Grid) -> tuple[Tensor, Tensor]:
    """How many rows and columns lie between two patches, int64 [n, n] each."""
    at = torch.arange(grid.size)
    rows, cols = at // grid.cols, at % grid.cols
    return (rows[:, None] - rows).abs(), (cols[:, None] - cols).abs()


def refused(allowed: Tensor) -> Tensor:
    """0 where a patch may be read and -inf elsewhere, float [1, n, n]."""
    return torch.zeros(1, *allowed.shape).masked_fill(~allowed, float("-inf"))


def structure(opened: Opened, layers: list[int], bias: Tensor) -> None:
    """Add float [heads or 1, n, n] to what the softmax of some layers reads of patches.

    Tokens in front of the patches read and are read as before.
    """
    if not bool(bias.any()):
        return
    bias = bias.to(opened.network.device)
    for layer in layers:
        opened.bias(layer, _made(opened, layer, bias))


def _made(opened: Opened, layer: int, bias: Tensor) -> Any:
    prefix = opened.network.prefix

    def make(x: Tensor) -> Tensor:
        if opened.flow.centres(layer) is not None:
            raise BadInput(
                f"tokens are merged before layer {layer}, and centres have no place on the grid of "
                "patches; take layers before that."
            )
        kept, found = opened.flow.patches(layer), bias[None]
        if kept is not None:
            found = torch.stack([bias[:, row][:, :, row] for row in kept])
        size = found.shape[-1] + prefix
        whole = x.new_zeros(*found.shape[:2], size, size)
        whole[..., prefix:, prefix:] = found
        return whole

    return make
