"""Hide objects: one of them, all of them, or everything around them."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from workbench.masks.lattice import Grid
from workbench.masks.ranking import hide_lowest
from workbench.masks.scored import flat_map, recipe_of
from workbench.masks.strategy import Counts, Drawn, Maps, Strategy
from workbench.params import Knob
from workbench.seeds import Noise

HIDE = ("one", "all", "background")
OBJECT_STREAM = 0x0B3E


@dataclass(frozen=True, kw_only=True)
class Objects(Strategy):
    """Hide one object (drawn at random), all objects, or the background of a label map.

    Label 0 is the background. Without `ratio` exactly these patches are hidden, however many; with
    it exactly floor(ratio * n + 0.5): a random part of them, or all of them and random others.

    Labels come from a drawn scene, or are discovered as in TokenCut (Wang et al.).
    """

    paper: ClassVar[str] = "arXiv:2202.11539"
    needs_maps: ClassVar[bool] = True
    score_kind: ClassVar[str] = "labels"
    always_print: ClassVar[tuple[str, ...]] = ("hide",)

    ratio: Annotated[
        float | None, Knob("share of patches hidden; none: as large as the objects are", 0, 1, 0.05)
    ] = None
    hide: Annotated[str, Knob("what is hidden", choices=HIDE)] = "one"
    scores: Annotated[str, Knob("recipe of the label map, 0 = background")] = "objects()"

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
        """Exact with a ratio."""
        return "free" if self.ratio is None else "exact"

    def draw(self, grid: Grid, noise: Noise, maps: Maps) -> Drawn:
        """Mark what is meant, then settle the count."""
        labels = flat_map(self.name, self.scores, maps)
        meant = labels == 0 if self.hide == "background" else labels != 0
        if self.hide == "one":
            meant &= labels == _one_each(labels, noise)[:, None]
        if self.ratio is None:
            return meant.reshape(-1, *grid.shape)
        keys = noise.bits(grid.size) | (~meant).astype(np.uint64) << np.uint64(32)
        return hide_lowest(keys, grid.count(self.ratio)).reshape(-1, *grid.shape)


def _one_each(labels: np.ndarray, noise: Noise) -> np.ndarray:
    """A random object's label for each row, all equally likely; 0 where there is none."""
    dice = noise.uniform(1, OBJECT_STREAM)[:, 0]
    found = np.zeros(len(labels))
    for row, (line, dot) in enumerate(zip(labels, dice, strict=True)):
        kinds = np.unique(line[line != 0])
        if len(kinds):
            found[row] = kinds[int(dot * len(kinds))]
    return found
