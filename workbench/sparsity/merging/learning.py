"""What learning a merge needs: pictures with or without labels, and one line of progress a step."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.sparsity.merging.task_vectors import State


@dataclass(frozen=True)
class MergeProgress:
    """One step of learning a merge."""

    step: int
    steps: int
    loss: float


Watch = Callable[[MergeProgress], object]
Batches = Callable[[int], tuple[Tensor, Tensor | None]]


def merged_loss(model: nn.Module, state: State, inputs: Tensor, labels: Tensor | None) -> Tensor:
    """Cross-entropy where labels are known, else the mean entropy of what the network says."""
    said = torch.func.functional_call(model, dict(state), (inputs,))
    if labels is not None:
        return F.cross_entropy(said, labels)
    logs = said.log_softmax(-1)
    return -(logs.exp() * logs).sum(-1).mean()
