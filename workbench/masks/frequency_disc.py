"""Keep a disc of low frequencies, or all but the disc (MFM)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from workbench.masks.lattice import Grid
from workbench.masks.spectrum import disc, hidden_outside
from workbench.masks.strategy import Counts, Drawn, Maps, Strategy
from workbench.params import Knob
from workbench.seeds import Noise


@dataclass(frozen=True, kw_only=True)
class FrequencyDisc(Strategy):
    """Hide the frequencies outside a disc in the share `low` of the images, else those inside.

    For a spectrum, `Grid(224, 224, patch=1, domain="frequency")`, with the zero frequency in the
    middle; on another grid the same cells are a disc in the middle of the picture. The disc holds
    the frequencies below `radius` cycles along the longer side: 793 of 224 x 224 bins at 16. It is
    symmetric about the zero frequency, so that a masked picture is real. The count is free, as it
    follows from the radius.

    Xie et al., MFM; official file `data/data_mfm.py` (`low` is 0.5 for ViT, 0.3 for ResNet-50).
    """

    paper: ClassVar[str] = "arXiv:2206.07706"
    counts: ClassVar[Counts] = "free"
    domain: ClassVar[str] = "frequency"
    always_print: ClassVar[tuple[str, ...]] = ("radius",)

    radius: Annotated[
        float, Knob("radius in cycles a picture", 0, 1 << 14, 1, soft_maximum=112)
    ] = 16.0
    low: Annotated[float, Knob("share of images that keep the low frequencies", 0, 1, 0.05)] = 0.5

    def draw(self, grid: Grid, noise: Noise, maps: Maps) -> Drawn:
        """Lay the disc out once, then choose a side for each image."""
        return hidden_outside(disc(grid, self.radius), self.low, grid, noise)
