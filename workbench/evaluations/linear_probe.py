"""A linear classifier on frozen features: how well the classes can be told by a plane."""

import itertools
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from workbench.evaluations.evaluation import Evaluation, Features, Report, Score, scored
from workbench.params import Knob

DECAYS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
HELD_BACK = 5  # every fifth training picture chooses the decay
TOLERANCE = 1e-9
LOOKS = 1.25  # at the loss, that L-BFGS takes for a step at most


@dataclass(frozen=True, kw_only=True)
class LinearProbe(Evaluation):
    """Softmax regression on standardised features, minimised by L-BFGS to its one minimum.

    Unlike a probe trained by stochastic steps it has no learning rate to tune and no luck: the loss
    is convex. The decay is the one of 1e-6 to 1e-2 that tells most of every fifth training picture
    right; the test pictures choose nothing. Alain and Bengio, Understanding intermediate layers
    using linear classifier probes.
    """

    paper: ClassVar[str] = "arXiv:1610.01644"

    steps: Annotated[int, Knob("steps of L-BFGS at most", 1, 10_000, 10, None, 500)] = 100

    def score(
        self,
        train: Features,
        test: Features,
        classes: int,
        report: Report = lambda share: None,
    ) -> Score:
        """See `Evaluation.score`."""
        mean, spread = train.values.mean(0), train.values.std(0) + 1e-6
        x = torch.from_numpy((train.values - mean) / spread)
        y = torch.from_numpy(train.labels)
        back = torch.arange(len(y)) % HELD_BACK == HELD_BACK - 1
        best, most, start = DECAYS[-1], -1.0, None
        if back.any():
            for i, decay in enumerate(reversed(DECAYS)):
                ask = _part(report, i)
                start = self._fit(x[~back], y[~back], classes, decay, start, ask)
                share = float((_logits(x[back], start).argmax(1) == y[back]).float().mean())
                if share > most:
                    best, most = decay, share
        weights = self._fit(x, y, classes, best, None, _part(report, len(DECAYS)))
        asked = torch.from_numpy(((test.values - mean) / spread).astype(np.float32))
        return scored(_logits(asked, weights).argmax(1).numpy(), test.labels, decay=best)

    def _fit(
        self,
        x: Tensor,
        y: Tensor,
        classes: int,
        decay: float,
        start: Tensor | None,
        report: Report,
    ) -> Tensor:
        """Return weights and biases, [d + 1, classes]; `report` is asked before each look."""
        first = torch.zeros(x.shape[1] + 1, classes) if start is None else start
        weights = first.clone().requires_grad_()
        minimiser = torch.optim.LBFGS(
            [weights],
            max_iter=self.steps,
            tolerance_change=TOLERANCE,
            history_size=10,
            line_search_fn="strong_wolfe",
        )

        looks = itertools.count()

        def closure() -> Tensor:
            report(min(1.0, next(looks) / (LOOKS * self.steps)))
            minimiser.zero_grad()
            loss = F.cross_entropy(_logits(x, weights), y)
            loss = loss + decay * weights[:-1].square().sum()
            loss.backward()
            return loss

        minimiser.step(closure)  # pyright: ignore[reportArgumentType]
        return weights.detach()


def _part(report: Report, number: int) -> Report:
    """The share that is done while one of the fits, those for the decays and the last, goes on."""
    return lambda share: report((number + share) / (len(DECAYS) + 1))


def _logits(x: Tensor, weights: Tensor) -> Tensor:
    return torch.addmm(weights[-1], x, weights[:-1])
