"""Gradients at random points between noisy copies and a picture with everything removed."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import torch

from workbench.explain.methods.method import Asked, Method, Search, Step, channels_summed
from workbench.params import Knob


@dataclass(frozen=True, kw_only=True)
class GradientShap(Method):
    """Expected gradients by captum, in chunks, because captum has none here of its own.

    Lundberg and Lee. The baseline is the picture with everything removed by the operator.
    """

    paper: ClassVar[str] = "arXiv:1705.07874"
    removes: ClassVar[bool] = True
    paints: ClassVar[bool] = True

    draws: Annotated[int, Knob("random points", 1, 10_000, 1, None, 200)] = 50
    noise: Annotated[float, Knob("spread of the noise, in [0, 1] pixels", 0, 2, 0.01)] = 0.09

    def search(self, asked: Asked) -> Search:
        """See `Method.search`."""
        from captum.attr import GradientShap as Captum

        whole = np.ones((1, *asked.image.shape[1:]), bool)
        away = asked.removal.picture(asked.image, whole, asked.seed).to(asked.network.device)
        total, done = torch.zeros_like(asked.pixels), 0
        while done < self.draws:
            count = min(asked.batch, self.draws - done)
            with torch.random.fork_rng(), np_seed(asked.seed + done):
                torch.manual_seed(asked.seed + done)
                part = Captum(asked.of).attribute(
                    asked.pixels, away, n_samples=count, stdevs=self.noise
                )
            total, done = total + part.detach() * count, done + count
            yield Step(done, self.draws)
        return channels_summed(total / self.draws)


class np_seed:
    """Captum draws from NumPy's global numbers: set them for a block and put them back."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __enter__(self) -> None:
        """Set."""
        self.state = np.random.get_state()  # noqa: NPY002
        np.random.seed(self.seed % 2**32)  # noqa: NPY002

    def __exit__(self, *_: object) -> None:
        """Put back."""
        np.random.set_state(self.state)  # noqa: NPY002
