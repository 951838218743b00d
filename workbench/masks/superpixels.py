"""Hide whole superpixels (SLIC): pieces of one colour go together."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from workbench.masks.lattice import Grid
from workbench.masks.regions import hide_in_regions, numbered, sizes_of, whole_regions
from workbench.masks.scored import flat_map, recipe_of
from workbench.masks.strategy import Counts, Drawn, Maps, Ratio, Strategy
from workbench.params import Knob
from workbench.seeds import Noise


@dataclass(frozen=True, kw_only=True)
class Superpixels(Strategy):
    """Hide superpixels in random order until floor(ratio * n + 0.5) patches are hidden.

    The last one is cut to the exact count; with `whole` it is hidden or left as a whole, whichever
    comes nearer to the count, and the ratio is only approached.

    Segments are those of Achanta et al., SLIC Superpixels (TPAMI 2012), brought to patches.
    """

    paper: ClassVar[str] = "doi:10.1109/TPAMI.2012.120"
    needs_maps: ClassVar[bool] = True
    score_kind: ClassVar[str] = "labels"

    ratio: Ratio = 0.75
    whole: Annotated[bool, Knob("never cut a superpixel; the count is then near, not exact")] = (
        False
    )
    scores: Annotated[str, Knob("recipe of the label map")] = "slic()"

    def __post_init__(self) -> None:
        """Check the knobs and the form of the map's recipe."""
        super().__post_init__()
        object.__setattr__(self, "scores", recipe_of(self.name, self.scores))

    @property
    def needs(self) -> tuple[str, ...]:
        """The label map."""
        return (self.scores,)

    @property
    def promise(self) -> Counts:
        """Free where nothing may be cut."""
        return "free" if self.whole else "exact"

    def draw(self, grid: Grid, noise: Noise, maps: Maps) -> Drawn:
        """Take superpixels in random order."""
        labels = numbered(flat_map(self.name, self.scores, maps))
        sizes = sizes_of(labels)
        taken = whole_regions(sizes, noise, grid.count(self.ratio))
        if self.whole:
            taken = np.where(2 * taken >= sizes, sizes, 0) * (taken > 0)
        return hide_in_regions(labels, taken, noise).reshape(-1, *grid.shape)
