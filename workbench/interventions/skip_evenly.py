"""Unified skipping: keep evenly spread blocks for a wanted speed, always the first and the last."""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

from workbench.interventions.intervention import ON_BLOCKS, Intervention
from workbench.interventions.opened import Opened
from workbench.interventions.passing import pass_on
from workbench.models.network import Kind
from workbench.params import Knob


@dataclass(frozen=True, kw_only=True)
class SkipEvenly(Intervention):
    """Keep ceil(L / speed) of L blocks, at round(linspace(0, L - 1)), whatever the picture.

    Shown to beat early exit at equal speed for translation and summarisation with language models;
    for vision transformers that is an untested transfer.
    """

    paper: ClassVar[str] = "arXiv:2404.06954"
    always_print: ClassVar[tuple[str, ...]] = ("speed",)
    on: ClassVar[tuple[Kind, ...]] = ON_BLOCKS
    idle: ClassVar[str] = "skip_evenly(speed=1.0)"

    speed: Annotated[float, Knob("how many times fewer blocks", 1, 512, 0.25, None, 6)] = 2.0

    def install(self, opened: Opened) -> None:
        """Skip what is not kept."""
        for layer in set(range(opened.network.depth)) - set(kept(opened.network.depth, self.speed)):
            pass_on(opened, layer)


def kept(depth: int, speed: float) -> list[int]:
    """Blocks that run: the first, the last and others spread evenly between them."""
    count = min(depth, max(math.ceil(depth / speed), min(depth, 2)))
    if count == 1:
        return [0]
    return [math.floor(at * (depth - 1) / (count - 1) + 0.5) for at in range(count)]
