"""Let patches read only what lies near them: a window around each patch."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from workbench.interventions.intervention import Intervention, Layers
from workbench.interventions.opened import Opened
from workbench.interventions.structures import offsets, refused, structure
from workbench.params import Knob


@dataclass(frozen=True, kw_only=True)
class Window(Intervention):
    """Each patch reads the (2 reach + 1) x (2 reach + 1) patches around it.

    Tokens in front of the patches read everything and are read by all.
    """

    always_print: ClassVar[tuple[str, ...]] = ("reach",)
    idle: ClassVar[str] = "window(reach=512)"

    reach: Annotated[int, Knob("patches to each side", 0, 512, 1, None, 7)] = 1
    layers: Layers = None

    def install(self, opened: Opened) -> None:
        """Refuse what lies outside of the window."""
        rows, cols = offsets(opened.network.grid)
        allowed = (rows <= self.reach) & (cols <= self.reach)
        structure(opened, opened.layers(self.layers), refused(allowed))
