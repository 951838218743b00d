"""Skip whole blocks: their input goes on unchanged, and their time is saved."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from workbench.interventions.intervention import ON_BLOCKS, Intervention
from workbench.interventions.opened import Opened
from workbench.interventions.passing import pass_on
from workbench.models.network import Kind
from workbench.params import Knob


@dataclass(frozen=True, kw_only=True)
class SkipBlocks(Intervention):
    """Leave out the blocks that are named, one or several."""

    always_print: ClassVar[tuple[str, ...]] = ("layers",)
    on: ClassVar[tuple[Kind, ...]] = ON_BLOCKS
    idle: ClassVar[str] = "skip_blocks(layers=[])"

    layers: Annotated[
        tuple[int, ...], Knob("blocks to skip, such as [3, 7]; -1 the last", -512, 511, 1)
    ] = (1,)

    def install(self, opened: Opened) -> None:
        """Pass each block's input on."""
        for layer in opened.layers(self.layers):
            pass_on(opened, layer)
