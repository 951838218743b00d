"""Saliency, averaged over noisy copies of the picture."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, cast

import torch
from torch import Tensor

from workbench.explain.methods.method import Asked, Method, Search, Step, channels_summed
from workbench.params import Knob


@dataclass(frozen=True, kw_only=True)
class SmoothGrad(Method):
    """Mean of |d score / d pixel| under Gaussian noise, by captum's noise tunnel.

    `noise` is a share of the picture's own range, as in the paper (Smilkov et al.).
    """

    paper: ClassVar[str] = "arXiv:1706.03825"
    signed: ClassVar[bool] = False

    draws: Annotated[int, Knob("noisy copies", 1, 10_000, 1, None, 200)] = 50
    noise: Annotated[float, Knob("spread of the noise, share of the range", 0, 2, 0.05)] = 0.15

    def search(self, asked: Asked) -> Search:
        """See `Method.search`."""
        from captum.attr import NoiseTunnel, Saliency

        spread = self.noise * float(asked.image.max() - asked.image.min())
        with torch.random.fork_rng():
            torch.manual_seed(asked.seed)
            found = NoiseTunnel(Saliency(asked.of)).attribute(
                asked.pixels.requires_grad_(), nt_type="smoothgrad", nt_samples=self.draws,
                nt_samples_batch_size=min(self.draws, asked.batch), stdevs=spread,
            )  # fmt: skip
        yield Step(self.draws, self.draws)
        return channels_summed(cast(Tensor, found))
