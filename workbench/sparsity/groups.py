"""Weights in groups of M along the inputs, as N:M sparsity counts them."""

from collections.abc import Mapping
from itertools import combinations

import torch
from torch import Tensor

from workbench.errors import BadInput


def grouped(weights: Mapping[str, Tensor], group: int) -> dict[str, Tensor]:
    """Return [groups, group] for every weight whose inputs are a multiple of `group`.

    A convolution's inputs are its channels, one group at one place of the kernel.

    Raises:
        BadInput: no layer has such a number of inputs.
    """
    found = {
        name: w.movedim(1, -1).reshape(-1, group)
        for name, w in weights.items()
        if w.shape[1] % group == 0
    }
    if not found:
        inputs = sorted({w.shape[1] for w in weights.values()})
        raise BadInput(
            f"no layer has inputs in groups of {group}: they have {inputs[:8]}; take another group."
        )
    return found


def spread(groups: Tensor, shape: torch.Size) -> Tensor:
    """Undo `grouped`: [groups, group] back to the weight's own shape."""
    moved = groups.reshape(shape[0], *shape[2:], shape[1])
    return moved.movedim(-1, 1).contiguous()


def patterns(keep: int, group: int) -> Tensor:
    """All ways of keeping `keep` of `group`, float [ways, group], 1 = kept."""
    rows = [
        [1.0 if at in kept else 0.0 for at in range(group)]
        for kept in combinations(range(group), keep)
    ]
    return torch.tensor(rows)
