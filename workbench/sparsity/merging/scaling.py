"""Learn how much of each task vector every block of weights takes (aTLAS)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from workbench.sparsity.merging.learning import Batches, MergeProgress, Watch, merged_loss
from workbench.sparsity.merging.task_vectors import State, TaskVector


@dataclass(frozen=True, eq=False)
class Scales:
    """One number a task and parameter: float32 [tasks, names]."""

    values: Tensor
    names: tuple[str, ...]

    def applied(self, base: State, vectors: Sequence[TaskVector]) -> dict[str, Tensor]:
        """Return base + sum over tasks of value * vector, parameter by parameter."""
        out = dict(base)
        for row, vector in zip(self.values, vectors, strict=True):
            for value, name in zip(row, self.names, strict=True):
                out[name] = out[name] + value * vector.change[name]
        return out


def scale_blocks(
    model: nn.Module,
    base: State,
    vectors: Sequence[TaskVector],
    batches: Batches,
    *,
    steps: int = 100,
    lr: float = 0.1,
    watch: Watch | None = None,
) -> Scales:
    """Learn one scale a task vector and parameter, from zero, by AdamW.

    Zhang et al., Knowledge Composition using Task Vectors with Learned Anisotropic Scaling,
    arXiv:2407.02880; official file `src/composition.py`.

    Args:
        model: the architecture; its own weights are not read and not changed.
        base: the weights that all tasks began at.
        vectors: one a task.
        batches: inputs by step, with labels for a few-shot loss or None for entropy.
        steps: of learning.
        lr: of AdamW.
        watch: called with each step.
    """
    names = tuple(vectors[0].change)
    values = torch.zeros(len(vectors), len(names), requires_grad=True)
    learner = torch.optim.AdamW([values], lr)
    for step in range(steps):
        loss = merged_loss(model, Scales(values, names).applied(base, vectors), *batches(step))
        learner.zero_grad()
        loss.backward(inputs=[values])
        learner.step()
        if watch is not None:
            watch(MergeProgress(step, steps, float(loss.detach())))
    return Scales(values.detach(), names)
