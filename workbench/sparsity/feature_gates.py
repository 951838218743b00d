"""Gates over the dimensions of a feature: where two chosen groups are alike (Hydra)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from workbench.errors import BadInput


@dataclass(frozen=True, eq=False)
class FeatureGates:
    """One gate a dimension, float32 [d] from 0 (closed) to 1 (open).

    `before` and `after` are the mean cosine similarity of the pair's members, and of the pair with
    all others, in all dimensions and in the gated ones.
    """

    gates: Tensor
    before: tuple[float, float]
    after: tuple[float, float]

    def chosen(self, threshold: float = 0.5) -> list[int]:
        """Dimensions that are open, the widest first."""
        order = self.gates.argsort(descending=True).tolist()
        return [int(at) for at in order if self.gates[at] > threshold]


def feature_gates(
    first: Tensor,
    second: Tensor,
    others: Tensor,
    *,
    steps: int = 300,
    lr: float = 0.05,
    temperature: float = 0.1,
    price: float = 0.02,
    watch: Callable[[int, float], object] | None = None,
) -> FeatureGates:
    """Learn the dimensions in which two groups agree and the rest of the world does not.

    Every feature of `first` is pulled to every one of `second` and pushed from `others` by InfoNCE
    on features multiplied by sigmoid(logit); `price` times the mean gate closes what is not needed.
    Rethinking Positive Pairs in Contrastive Learning (Hydra) learns such masks for arbitrary pairs
    of classes together with the network; ours are learnt on frozen features, which is our reading.

    Args:
        first: features of one class or of views of one image, [n, d].
        second: features of the other, [m, d].
        others: features of anything else, [k, d].
        steps: of Adam.
        lr: of Adam.
        temperature: of InfoNCE.
        price: of an open gate.
        watch: called with the step and its loss.

    Raises:
        BadInput: a group is empty, or widths differ.
    """
    groups = (first, second, others)
    if (
        any(each.ndim != 2 or not len(each) for each in groups)
        or len({each.shape[-1] for each in groups}) > 1
    ):
        raise BadInput(
            f"the features are {[tuple(g.shape) for g in groups]}, wanted three groups [n, d] of "
            "one width, none empty; choose two classes that have pictures."
        )
    scale = torch.cat(groups).std(0).clamp_min(1e-6)
    a, b, rest = (each.detach().float() / scale for each in groups)
    logits = torch.zeros(a.shape[1], requires_grad=True)
    learner = torch.optim.Adam([logits], lr)
    for step in range(steps):
        gate = logits.sigmoid()
        loss = (_contrast(a * gate, b * gate, rest * gate, temperature)
                + price * gate.mean() * a.shape[1] ** 0.5)  # fmt: skip
        learner.zero_grad()
        loss.backward()
        learner.step()
        if watch is not None:
            watch(step, float(loss.detach()))
    gate = logits.detach().sigmoid()
    return FeatureGates(gate, _alike(a, b, rest), _alike(a * gate, b * gate, rest * gate))


def _contrast(a: Tensor, b: Tensor, rest: Tensor, temperature: float) -> Tensor:
    a, b, rest = (F.normalize(each, dim=1) for each in (a, b, rest))
    pulls, pushes = a @ b.T / temperature, a @ rest.T / temperature
    against = torch.logsumexp(pushes, 1, keepdim=True)
    return (torch.logaddexp(pulls, against) - pulls).mean()


def _alike(a: Tensor, b: Tensor, rest: Tensor) -> tuple[float, float]:
    a, b, rest = (F.normalize(each, dim=1) for each in (a, b, rest))
    return float((a @ b.T).mean()), float((a @ rest.T).mean())
