"""Let patches read only their own row and column (axial attention)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from workbench.interventions.intervention import Intervention, Layers
from workbench.interventions.opened import Opened
from workbench.interventions.structures import offsets, refused, structure
from workbench.params import Knob

ALONG = ("both", "rows", "columns")


@dataclass(frozen=True, kw_only=True)
class Axial(Intervention):
    """Each patch reads its row, its column, or both; rows + cols - 1 keys with both.

    Tokens in front of the patches read everything and are read by all.
    """

    paper: ClassVar[str] = "arXiv:1912.12180"
    idle: ClassVar[str] = "axial(layers=[])"

    along: Annotated[str, Knob("what a patch may read", choices=ALONG)] = "both"
    layers: Layers = None

    def install(self, opened: Opened) -> None:
        """Refuse what lies off the axes."""
        rows, cols = offsets(opened.network.grid)
        same = {"rows": rows == 0, "columns": cols == 0, "both": (rows == 0) | (cols == 0)}
        structure(opened, opened.layers(self.layers), refused(same[self.along]))
