"""Teachers that follow a student: running averages of its weights, and how fast they follow."""

import copy
import math
from typing import TypeVar

import torch
from torch import nn

Module = TypeVar("Module", bound=nn.Module)


def frozen_copy(module: Module) -> Module:
    """Return a copy whose weights take no gradient."""
    return copy.deepcopy(module).requires_grad_(False)


@torch.no_grad()
def follow(average: nn.Module, module: nn.Module, momentum: float) -> None:
    """Move an average towards a module: average = momentum * average + (1 - momentum) * module.

    Buffers are copied as they are.
    """
    for mine, other in zip(average.parameters(), module.parameters(), strict=True):
        mine.lerp_(other, 1 - momentum)
    for buffer, other in zip(average.buffers(), module.buffers(), strict=True):
        buffer.copy_(other)


def cosine_momentum(first: float, progress: float, last: float = 1.0) -> float:
    """Return the momentum at a progress of 0 to 1: half a cosine from `first` to `last`."""
    return last - (last - first) * (math.cos(math.pi * progress) + 1) / 2
