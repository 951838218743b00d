"""Learn which N of every M weights stay (MaskLLM)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.params import Knob, validate
from workbench.sparsity.groups import grouped, patterns, spread
from workbench.sparsity.sparsifier import Progress, Search, Sparsifier, Task, progress_of, share


@dataclass(frozen=True, kw_only=True)
class MaskLLM(Sparsifier):
    """One logit a pattern and group of weights; patterns are drawn by Gumbel softmax and learnt.

    The weights are frozen. The soft mask is sum_p softmax((kappa * logit + Gumbel) / tau)_p *
    pattern_p; tau falls and kappa rises linearly over the steps. `prior` adds prior * std *
    (overlap - keep / 2) with the pattern that magnitude would take; `reward` * sum |w m|^2, falling
    to 0, is taken from the loss so that large weights stay. In the end each group takes its most
    likely pattern.

    Fang et al., MaskLLM; official file `learnable_sparsity/differentiable_mask.py`. Its launch
    scripts use kappa 100 to 500, the defaults in its code are 1,000 to 10,000; the scripts' are
    ours.
    """

    paper: ClassVar[str] = "arXiv:2409.17481"
    learns: ClassVar[bool] = True
    always_print: ClassVar[tuple[str, ...]] = ("keep", "group")

    keep: Annotated[int, Knob("weights of a group that stay", 1, 7)] = 2
    group: Annotated[int, Knob("weights in a group", 2, 8)] = 4
    steps: Annotated[int, Knob("steps of learning", 1, 1_000_000, 10, None, 2000)] = 200
    lr: Annotated[float, Knob("step of AdamW on the logits", 1e-6, 10, 0.001, None, 0.1)] = 0.01
    tau_start: Annotated[float, Knob("temperature at the start", 1e-3, 100, 0.1, None, 8)] = 4.0
    tau_end: Annotated[float, Knob("temperature at the end", 1e-3, 100, 0.05, None, 4)] = 0.05
    kappa_start: Annotated[float, Knob("scale at the start", 0, 1e5, 10, None, 1000)] = 100.0
    kappa_end: Annotated[float, Knob("scale at the end", 0, 1e5, 10, None, 1000)] = 500.0
    prior: Annotated[float, Knob("weight of magnitude's pattern", 0, 100, 0.5, None, 10)] = 3.0
    reward: Annotated[float, Knob("reward for large weights", 0, 1, 1e-5, None, 0.001)] = 1e-5

    def __post_init__(self) -> None:
        """Check that something is hidden."""
        validate(self, self.name)
        if self.keep >= self.group:
            raise BadInput(
                f"mask_llm: keep is {self.keep} of {self.group}, which hides nothing; take a "
                "smaller keep."
            )

    def search(self, model: nn.Module, task: Task | None, seed: int) -> Search:
        """See `Sparsifier.search`."""
        assert task is not None
        weights = self.weights(model)
        ways = patterns(self.keep, self.group)
        noise = torch.Generator().manual_seed(seed)
        groups = {n: g.detach() for n, g in grouped(weights, self.group).items()}
        logits = {name: self._start(each, ways, noise) for name, each in groups.items()}
        learner = torch.optim.AdamW(list(logits.values()), self.lr, weight_decay=0.0)
        for step in range(self.steps):
            done = progress_of(step, self.steps)
            soft = {
                name: spread(self._drawn(each, ways, done, noise), weights[name].shape)
                for name, each in logits.items()
            }
            masked = {name: weights[name].detach() * soft[name] for name in soft}
            loss = task.with_weights(model, masked, step)
            kept = torch.stack([each.square().sum() for each in masked.values()]).sum()
            learner.zero_grad()
            total = loss - self.reward * (1 - done) * kept
            total.backward(inputs=list(logits.values()))
            learner.step()
            sure = torch.cat([(each * self._kappa(done)).softmax(1) for each in logits.values()])
            notes = {"certainty": float(sure.detach().amax(1).mean())}
            yield Progress(
                step, self.steps, float(loss.detach()), 1 - self.keep / self.group, notes
            )
        return self.found(self._decided(logits, ways, weights))

    def _start(self, groups: Tensor, ways: Tensor, noise: torch.Generator) -> Tensor:
        logits = 0.01 * torch.randn(len(groups), len(ways), generator=noise)
        if self.prior:
            largest = torch.zeros_like(groups)
            top = groups.abs().argsort(dim=1, descending=True, stable=True)[:, : self.keep]
            largest.scatter_(1, top, 1.0)
            logits += self.prior * logits.std() * (largest @ ways.T - self.keep / 2)
        return logits.requires_grad_()

    def _kappa(self, done: float) -> float:
        return self.kappa_start + (self.kappa_end - self.kappa_start) * done

    def _drawn(self, logits: Tensor, ways: Tensor, done: float, noise: torch.Generator) -> Tensor:
        tau = self.tau_start + (self.tau_end - self.tau_start) * done
        uniform = torch.rand(logits.shape, generator=noise).clamp(1e-9, 1 - 1e-7)
        gumbel = -(-uniform.log()).log()
        return ((logits * self._kappa(done) + gumbel) / tau).softmax(1) @ ways

    def _decided(
        self, logits: Mapping[str, Tensor], ways: Tensor, weights: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        hidden = {
            name: spread(ways[each.argmax(1)] == 0, weights[name].shape)
            for name, each in logits.items()
        }
        assert abs(share(hidden) - (1 - self.keep / self.group)) < 1e-9
        return hidden
