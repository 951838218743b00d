"""Saliency, averaged over noisy copies of the picture."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch

from workbench.explain.methods.method import Asked, Method, Search, Step, channels_summed
from workbench.params import Knob


@dataclass(frozen=True, kw_only=True)
class SmoothGrad(Method):
    """Mean of |d score / d pixel| under Gaussian noise, by captum's saliency in pieces.

    `noise` is a share of the picture's own range, as in the paper (Smilkov et al.).
    """

    paper: ClassVar[str] = "arXiv:1706.03825"
    signed: ClassVar[bool] = False

    draws: Annotated[int, Knob("noisy copies", 1, 10_000, 1, None, 200)] = 50
    noise: Annotated[float, Knob("spread of the noise, share of the range", 0, 2, 0.05)] = 0.15

    def search(self, asked: Asked) -> Search:
        """See `Method.search`."""
        from captum.attr import Saliency

        spread = self.noise * float(asked.image.max() - asked.image.min())
        generator = torch.Generator().manual_seed(asked.seed)
        total, done = torch.zeros_like(asked.pixels), 0
        while done < self.draws:
            count = min(asked.batch, self.draws - done)
            noise = torch.randn((count, *asked.image.shape), generator=generator) * spread
            noisy = (asked.pixels + noise.to(asked.pixels)).requires_grad_()
            total = total + Saliency(asked.of).attribute(noisy).detach().sum(0, keepdim=True)
            done += count
            yield Step(done, self.draws)
        return channels_summed(total / self.draws)
