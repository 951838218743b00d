"""Keep a ring of frequencies, or all but the ring (MFM with both radii)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from workbench.errors import BadInput
from workbench.masks.lattice import Grid
from workbench.masks.spectrum import disc, hidden_outside
from workbench.masks.strategy import Counts, Drawn, Maps, Strategy
from workbench.params import Knob
from workbench.seeds import Noise


@dataclass(frozen=True, kw_only=True)
class FrequencyBand(Strategy):
    """Hide the frequencies of a ring; in the share `inside` of the images all but the ring.

    For a spectrum, `Grid(224, 224, patch=1, domain="frequency")`, with the zero frequency in the
    middle; on another grid the same cells are a ring around the middle. The ring holds frequencies
    from `inner` to below `outer` cycles along the longer side, symmetric about the zero frequency,
    so that a masked picture is real. The count is free, as it follows from the radii.

    Xie et al., MFM; official file `data/data_mfm.py`, whose two radii these are (its recipes set
    the second to 999, beyond all bins, which is `frequency_disc`).
    """

    paper: ClassVar[str] = "arXiv:2206.07706"
    counts: ClassVar[Counts] = "free"
    domain: ClassVar[str] = "frequency"
    always_print: ClassVar[tuple[str, ...]] = ("inner", "outer")

    inner: Annotated[
        float, Knob("inner radius in cycles a picture", 0, 1 << 14, 1, soft_maximum=112)
    ] = 8.0
    outer: Annotated[
        float, Knob("outer radius in cycles a picture", 0, 1 << 14, 1, soft_maximum=160)
    ] = 32.0
    inside: Annotated[float, Knob("share of images that keep the ring alone", 0, 1, 0.05)] = 0.5

    def __post_init__(self) -> None:
        """Check the knobs and the order of the radii."""
        super().__post_init__()
        if self.inner > self.outer:
            raise BadInput(
                f"frequency_band: inner is {self.inner} and outer {self.outer}, but inner must "
                "not be larger; swap them."
            )

    def draw(self, grid: Grid, noise: Noise, maps: Maps) -> Drawn:
        """Lay the ring out once, then choose a side for each image."""
        ring = disc(grid, self.outer) & ~disc(grid, self.inner)
        return hidden_outside(ring, self.inside, grid, noise)
