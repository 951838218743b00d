"""Tune a network by hiding some of its frozen weights (R-AMT)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.params import Knob
from workbench.sparsity.sparsifier import WHERE, Progress, Search, Sparsifier, Task, share


@dataclass(frozen=True, kw_only=True)
class MaskTuning(Sparsifier):
    """A real number r a weight, kept where r > threshold; its gradient passes straight through.

    At the start every r is `start`, so that nothing is hidden. The gradient of the task, g_a, is
    dropped where it contradicts g_b, the gradient of KL(network as it was || network now): with
    P = (1 + sign(g_a) (g_a + g_b) / (|g_a| + |g_b|)) / 2 an entry stays as it is where P > U(0, 1)
    and is multiplied by 1 - `dropout` elsewhere.

    Zheng et al., Regularized Mask Tuning; official files `code/modules/masklayers.py` and
    `code/trainers/masktuning.py`. Their rate, 8e-5 over 30 epochs, is small beside start -
    threshold; short runs need a larger one.
    """

    paper: ClassVar[str] = "arXiv:2307.15049"
    learns: ClassVar[bool] = True

    where: Annotated[str, Knob("which weights may be hidden", choices=WHERE)] = "attention"
    steps: Annotated[int, Knob("steps of learning", 1, 1_000_000, 10, None, 2000)] = 200
    lr: Annotated[float, Knob("step of Adam on r", 1e-7, 1, 1e-5, None, 0.01)] = 8e-5
    start: Annotated[float, Knob("r of every weight at the start", 1e-6, 1, 0.001)] = 1e-2
    threshold: Annotated[float, Knob("a weight is hidden where r is not above", 0, 1, 0.001)] = 5e-3
    dropout: Annotated[float, Knob("part of a contradicting gradient to drop", 0, 1, 0.1)] = 0.3

    def search(self, model: nn.Module, task: Task | None, seed: int) -> Search:
        """See `Sparsifier.search`."""
        assert task is not None
        weights = {name: w.detach() for name, w in self.weights(model).items()}
        reals = {n: torch.full_like(w, self.start).requires_grad_() for n, w in weights.items()}
        learner = torch.optim.Adam(list(reals.values()), self.lr)
        noise = torch.Generator().manual_seed(seed)
        for step in range(self.steps):
            inputs, labels = task.batches(step)
            with torch.no_grad():
                before = model(inputs).log_softmax(-1)
            now = torch.func.functional_call(model, self._masked(weights, reals), (inputs,))
            loss = task.loss(now, labels)
            general = F.kl_div(now.log_softmax(-1), before, log_target=True, reduction="batchmean")
            wanted = torch.autograd.grad(loss, list(reals.values()), retain_graph=True)
            kept = torch.autograd.grad(general, list(reals.values()))
            for real, slope in zip(
                reals.values(), agreeing(wanted, kept, self.dropout, noise), strict=True
            ):
                real.grad = slope
            learner.step()
            yield Progress(
                step,
                self.steps,
                float(loss.detach()),
                share(self._hidden(reals)),
                {"kl": float(general.detach())},
            )
        return self.found(self._hidden(reals))

    def _hidden(self, reals: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: each.detach() <= self.threshold for name, each in reals.items()}

    def _masked(
        self, weights: Mapping[str, Tensor], reals: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        bits = {name: (each > self.threshold).to(each.dtype) for name, each in reals.items()}
        through = {name: bits[name] + each - each.detach() for name, each in reals.items()}
        return {name: w * through[name] for name, w in weights.items()}


def agreeing(
    wanted: Sequence[Tensor], general: Sequence[Tensor], dropout: float, noise: torch.Generator
) -> list[Tensor]:
    """The task's gradients, with entries that contradict the general ones dropped by chance.

    Args:
        wanted: gradients of the task.
        general: gradients of what the network already knew, of the same shapes.
        dropout: part of an entry that is dropped, 0 to 1.
        noise: for the chances.
    """
    out: list[Tensor] = []
    for own, other in zip(wanted, general, strict=True):
        sizes = (own.abs() + other.abs()).clamp_min(torch.finfo(own.dtype).tiny)
        chance = (1 + own.sign() * (own + other) / sizes) / 2
        stays = chance > torch.rand(own.shape, generator=noise)
        out.append(torch.where(stays, own, own * (1 - dropout)))
    return out
