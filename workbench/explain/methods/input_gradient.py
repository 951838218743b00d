"""Each pixel times how steeply the score changes with it."""

from dataclasses import dataclass
from typing import ClassVar

from workbench.explain.methods.method import Asked, Method, Search, Step, channels_summed


@dataclass(frozen=True, kw_only=True)
class InputGradient(Method):
    """pixel * d score / d pixel, summed over the colours, by captum.

    Pixels are those of the picture in [0, 1], so that black counts for nothing; the field's usual
    form multiplies by normalised pixels, where the mean colour does.
    """

    paper: ClassVar[str] = "arXiv:1605.01713"

    def search(self, asked: Asked) -> Search:
        """See `Method.search`."""
        from captum.attr import InputXGradient

        found = InputXGradient(asked.of).attribute(asked.pixels.requires_grad_())
        yield Step(1, 1)
        return channels_summed(found)
