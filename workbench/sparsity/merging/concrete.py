"""Learn one mask over all task vectors before they are added (concrete subspace)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from workbench.sparsity.merging.learning import Batches, MergeProgress, Watch, merged_loss
from workbench.sparsity.merging.task_vectors import State, TaskVector, add_vectors
from workbench.sparsity.weight_masks import WeightMasks

TAU = 0.5


@dataclass(frozen=True, eq=False)
class ConcreteMask:
    """Logits by parameter, shared by all tasks; a change is kept where its logit is not below 0."""

    logits: Mapping[str, Tensor]

    def masks(self) -> WeightMasks:
        """The mask without noise, True = the change is hidden."""
        hidden = {name: each < 0 for name, each in self.logits.items()}
        return WeightMasks(hidden, "concrete_mask")

    def applied(
        self, base: State, vectors: Sequence[TaskVector], scale: float = 0.3
    ) -> dict[str, Tensor]:
        """Return the merged weights with the mask without noise."""
        bits = {name: (each >= 0).to(each.dtype) for name, each in self.logits.items()}
        return add_vectors(base, [masked(each, bits) for each in vectors], scale)


def masked(vector: TaskVector, mask: Mapping[str, Tensor]) -> TaskVector:
    """Return mask * vector / mean(mask), parameter by parameter: the mean length stays."""
    tiny = 1e-8
    return vector.scaled(lambda name: mask[name] / mask[name].mean().clamp_min(tiny))


def drawn(logits: Mapping[str, Tensor], noise: torch.Generator) -> dict[str, Tensor]:
    """Draw soft masks, sigmoid((logit + logistic noise) / tau), which have a gradient."""
    out: dict[str, Tensor] = {}
    for name, each in logits.items():
        u = torch.rand(each.shape, generator=noise).clamp(1e-6, 1 - 1e-6)
        out[name] = ((each + u.log() - (-u).log1p()) / TAU).sigmoid()
    return out


def concrete_mask(
    model: nn.Module,
    base: State,
    vectors: Sequence[TaskVector],
    batches: Batches,
    *,
    scale: float = 0.3,
    steps: int = 100,
    lr: float = 0.05,
    seed: int = 0,
    watch: Watch | None = None,
) -> ConcreteMask:
    """Learn the mask so that the merged network is sure of itself (or right, with labels).

    Tang et al., Concrete Subspace Learning based Interference Elimination for Multi-task Model
    Fusion, arXiv:2312.06173; official file `src/concrete_mask.py`. Its shipped evaluation draws a
    random mask; ours keeps every logit not below zero, so that it repeats. The paper's outer loop
    over AdaMerging's coefficients is left out: `scale` is fixed.

    Args:
        model: the architecture; its own weights are not read and not changed.
        base: the weights that all tasks began at.
        vectors: one a task.
        batches: inputs by step, with labels or None.
        scale: of the summed vectors.
        steps: of Adam.
        lr: of Adam.
        seed: of the noise.
        watch: called with each step.
    """
    logits = {n: torch.zeros_like(v).requires_grad_() for n, v in vectors[0].change.items()}
    learner = torch.optim.Adam(list(logits.values()), lr)
    noise = torch.Generator().manual_seed(seed)
    for step in range(steps):
        mask = drawn(logits, noise)
        state = add_vectors(base, [masked(each, mask) for each in vectors], scale)
        loss = merged_loss(model, state, *batches(step))
        learner.zero_grad()
        loss.backward(inputs=list(logits.values()))
        learner.step()
        if watch is not None:
            watch(MergeProgress(step, steps, float(loss.detach())))
    return ConcreteMask({name: each.detach() for name, each in logits.items()})
