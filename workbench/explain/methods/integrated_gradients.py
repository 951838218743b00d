"""Gradients added up on the way from a picture with everything removed."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from workbench.explain.methods.method import Asked, Method, Search, Step, channels_summed
from workbench.params import Knob


@dataclass(frozen=True, kw_only=True)
class IntegratedGradients(Method):
    """(x - x') times the mean gradient between x' and x, by captum, Gauss-Legendre points.

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
        from captum.attr import IntegratedGradients as Captum

        away = asked.removal.picture(
            asked.image, np.ones((1, *asked.image.shape[1:]), bool), asked.seed
        ).to(asked.network.device)
        found, delta = Captum(asked.of, multiply_by_inputs=True).attribute(
            asked.pixels, away, n_steps=self.steps, internal_batch_size=asked.batch,
            return_convergence_delta=True,
        )  # fmt: skip
        total = float(found.sum() - delta.sum())
        asked.notes["gap"] = abs(float(delta)) / max(abs(total), 1e-12)
        yield Step(self.steps, self.steps)
        return channels_summed(found)
