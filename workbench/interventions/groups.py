"""Let patches read only their own group: the picture cut into blocks that do not see each other."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch

from workbench.interventions.intervention import Intervention, Layers
from workbench.interventions.opened import Opened
from workbench.interventions.structures import refused, structure
from workbench.params import Knob


@dataclass(frozen=True, kw_only=True)
class Groups(Intervention):
    """Cut the grid into `down` x `across` blocks, as equal as can be; patches read their block.

    Tokens in front of the patches read everything and are read by all, so that blocks speak to each
    other through them alone.
    """

    always_print: ClassVar[tuple[str, ...]] = ("down", "across")
    idle: ClassVar[str] = "groups(down=1, across=1)"

    down: Annotated[int, Knob("blocks from top to bottom", 1, 512, 1, None, 7)] = 2
    across: Annotated[int, Knob("blocks from left to right", 1, 512, 1, None, 7)] = 2
    layers: Layers = None

    def install(self, opened: Opened) -> None:
        """Refuse what lies in another block."""
        grid = opened.network.grid
        at = torch.arange(grid.size)
        row = at // grid.cols * min(self.down, grid.rows) // grid.rows
        col = at % grid.cols * min(self.across, grid.cols) // grid.cols
        block = row * grid.cols + col
        structure(opened, opened.layers(self.layers), refused(block[:, None] == block))
