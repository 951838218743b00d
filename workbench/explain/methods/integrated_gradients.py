"""Gradients added up on the way from a picture with everything removed."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import torch

from workbench.explain.methods.method import Asked, Method, Search, Step, channels_summed
from workbench.params import Knob


@dataclass(frozen=True, kw_only=True)
class IntegratedGradients(Method):
    """(x - x') times the mean gradient between x' and x, at captum's Gauss-Legendre points.

    x' is the picture with everything removed by the operator, in [0, 1]: a grey of 0.5, black, a
    blur. Notes hold `gap`, |sum - (score(x) - score(x'))| / |score(x) - score(x')|, which does not
    always fall with more steps.
    """

    paper: ClassVar[str] = "arXiv:1703.01365"
    removes: ClassVar[bool] = True
    paints: ClassVar[bool] = True

    steps: Annotated[int, Knob("points on the way", 2, 10_000, 1, None, 200)] = 50

    def search(self, asked: Asked) -> Search:
        """See `Method.search`."""
        whole = np.ones((1, *asked.image.shape[1:]), bool)
        away = asked.removal.picture(asked.image, whole, asked.seed).to(asked.network.device)
        way = asked.pixels - away
        points, weights = np.polynomial.legendre.leggauss(self.steps)
        total, done = torch.zeros_like(way), 0
        while done < self.steps:  # in pieces, so that memory stays bounded and it can be stopped
            part = slice(done, min(done + asked.batch, self.steps))
            at, weight = (
                torch.as_tensor(each[part], dtype=way.dtype, device=way.device).view(-1, 1, 1, 1)
                for each in ((points + 1) / 2, weights / 2)
            )
            with torch.enable_grad():
                there = (away + at * way).requires_grad_()
                (slope,) = torch.autograd.grad(asked.of(there).sum(), there)
            total, done = total + (slope * weight).sum(0, keepdim=True), part.stop
            yield Step(done, self.steps)
        found = way * total
        with torch.no_grad():
            ends = asked.of(torch.cat([asked.pixels, away]))
        between = float(ends[0] - ends[1])
        asked.notes["gap"] = abs(float(found.sum()) - between) / max(abs(between), 1e-12)
        return channels_summed(found)
