"""How steeply the score changes with each pixel."""

from dataclasses import dataclass
from typing import ClassVar

from workbench.explain.methods.method import Asked, Method, Search, Step, channels_summed


@dataclass(frozen=True, kw_only=True)
class Saliency(Method):
    """|d score / d pixel|, summed over the colours, by captum (Simonyan et al.)."""

    paper: ClassVar[str] = "arXiv:1312.6034"
    signed: ClassVar[bool] = False

    def search(self, asked: Asked) -> Search:
        """See `Method.search`."""
        from captum.attr import Saliency as Captum

        found = Captum(asked.of).attribute(asked.pixels.requires_grad_())
        yield Step(1, 1)
        return channels_summed(found)
