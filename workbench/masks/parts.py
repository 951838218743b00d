"""Hide semantic parts: whole ones, the same share of each, or anything between (SemMAE)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from workbench.masks.lattice import Grid
from workbench.masks.regions import (
    hide_in_regions,
    numbered,
    shares_of_regions,
    sizes_of,
    whole_regions,
)
from workbench.masks.scored import flat_map, recipe_of
from workbench.masks.strategy import Drawn, Maps, Ratio, Strategy
from workbench.params import Knob
from workbench.seeds import Noise


@dataclass(frozen=True, kw_only=True)
class Parts(Strategy):
    """Hide exactly floor(ratio * n + 0.5) patches of a map of part labels.

    With `spread` 0 (SemMAE's lambda) whole parts are hidden in random order until the count is
    reached, so that at most one part is cut; with 1 every part loses the same share; between, each
    part's number lies between the two.

    Li et al., SemMAE; official file `models_mae_setting3.py`, which reads ready-made parts.
    """

    paper: ClassVar[str] = "arXiv:2206.10207"
    needs_maps: ClassVar[bool] = True
    score_kind: ClassVar[str] = "labels"

    ratio: Ratio = 0.75
    spread: Annotated[float, Knob("0 hides whole parts, 1 the same share of each", 0, 1, 0.05)] = (
        0.0
    )
    scores: Annotated[str, Knob("recipe of the map of part labels")] = "parts()"

    def __post_init__(self) -> None:
        """Check the knobs and the form of the map's recipe."""
        super().__post_init__()
        object.__setattr__(self, "scores", recipe_of(self.name, self.scores))

    @property
    def needs(self) -> tuple[str, ...]:
        """The label map."""
        return (self.scores,)

    def draw(self, grid: Grid, noise: Noise, maps: Maps) -> Drawn:
        """Settle how many of each part, then choose them at random."""
        count = grid.count(self.ratio)
        labels = numbered(flat_map(self.name, self.scores, maps))
        sizes = sizes_of(labels)
        whole = whole_regions(sizes, noise, count)
        taken = shares_of_regions(sizes, whole, self.spread, noise, count)
        return hide_in_regions(labels, taken, noise).reshape(-1, *grid.shape)
