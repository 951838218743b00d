"""Learn which units and heads carry information: gates with a bottleneck (VIB, VTrans)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn

from workbench.params import Knob
from workbench.sparsity.gates import Gate, divergence, gated, gates
from workbench.sparsity.sparsifier import Progress, Search, Sparsifier, Task, share


@dataclass(frozen=True, kw_only=True)
class VibGates(Sparsifier):
    """Every input of a layer is multiplied by mean + spread * noise; units that are noise go.

    The loss is the task's + `beta` * sum log(1 + mean^2 / variance) / 2. A unit whose variance
    exceeds its squared mean is dropped: its column of the weight is hidden. Heads are one unit
    each. With a `target` two Lagrange terms, raised by gradient ascent, pull the share of dropped
    units there.

    Dutta et al., VTrans, after Dai et al., VIBNet. No official code of VTrans is known: this is our
    reading. The weights are frozen, and a kept unit goes on with gain 1; fine-tune afterwards.
    """

    paper: ClassVar[str] = "arXiv:2406.05276"
    learns: ClassVar[bool] = True

    steps: Annotated[int, Knob("steps of learning", 1, 1_000_000, 10, None, 2000)] = 300
    lr: Annotated[float, Knob("step of Adam on the gates", 1e-6, 1, 0.001, None, 0.1)] = 0.02
    beta: Annotated[float, Knob("price of information", 0, 100, 1e-3, None, 0.1)] = 0.01
    target: Annotated[float | None, Knob("share of units to drop; None as it comes", 0, 1)] = None
    spread: Annotated[float, Knob("spread of the gates at the start", 1e-4, 1, 0.05)] = 0.1

    def search(self, model: nn.Module, task: Task | None, seed: int) -> Search:
        """See `Sparsifier.search`."""
        assert task is not None
        layers = gates(model, self.weights(model))
        device = next(model.parameters()).device
        start = 2 * torch.tensor(self.spread).log()
        mean = {n: torch.ones(g.units, device=device).requires_grad_() for n, g in layers.items()}
        logv = {
            n: torch.full((g.units,), float(start), device=device).requires_grad_()
            for n, g in layers.items()
        }
        prices = torch.zeros(2, requires_grad=True)
        learner = torch.optim.Adam([*mean.values(), *logv.values()], self.lr)
        raiser = torch.optim.SGD([prices], self.lr, maximize=True)
        noise = torch.Generator().manual_seed(seed)

        def draw(name: str) -> Tensor:
            lots = torch.randn(mean[name].shape, generator=noise).to(device)
            return mean[name] + (0.5 * logv[name]).exp() * lots

        for step in range(self.steps):
            with gated(layers, draw):
                loss = task.of(model, step)
            paid = torch.stack([divergence(mean[n], logv[n]) for n in layers]).sum()
            total = loss + self.beta * paid + self._pull(mean, logv, prices)
            learner.zero_grad()
            raiser.zero_grad()
            total.backward(inputs=[*mean.values(), *logv.values(), prices])
            learner.step()
            raiser.step()
            hidden = self._hidden(layers, mean, logv)
            yield Progress(
                step,
                self.steps,
                float(loss.detach()),
                share(hidden),
                {"nats": float(paid.detach())},
            )
        return self.found(self._hidden(layers, mean, logv))

    def _pull(
        self, mean: Mapping[str, Tensor], logv: Mapping[str, Tensor], prices: Tensor
    ) -> Tensor:
        """What it costs to be away from the target; a soft count, so that it has a slope."""
        if self.target is None:
            return 0.0 * prices.sum()
        soft = torch.cat([(logv[n] - mean[n].square().clamp_min(1e-12).log()) for n in mean])
        away = soft.sigmoid().mean().cpu() - self.target
        return prices[0] * away + prices[1] * away.square()

    def _hidden(
        self, layers: Mapping[str, Gate], mean: Mapping[str, Tensor], logv: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        return {
            name: gate.columns((logv[name].exp() > mean[name].square()).detach())
            for name, gate in layers.items()
        }
