"""Label maps of photos that have exact ones: the drawn scenes."""

from functools import lru_cache
from typing import Any

from workbench.analysis.object_overlap import ObjectOverlap, object_overlap, object_shares
from workbench.masks import Grid, Mask
from workbench.scenes.photos import DRAWN, DRAWN_SIDE


def has_labels(photo: str) -> bool:
    """Whether the objects of this photo are known."""
    return DRAWN.fullmatch(photo) is not None


def overlap(photo: str, mask: Mask) -> list[ObjectOverlap]:
    """How much of each object of a drawn scene the masks hide; [] for photos without label maps."""
    found = DRAWN.fullmatch(photo)
    if found is None:
        return []
    names, shares = _shares(int(found[1]), Grid(mask.grid.rows, mask.grid.cols))
    return object_overlap(mask, shares, names)


@lru_cache(maxsize=8)
def _shares(seed: int, grid: Grid) -> tuple[tuple[str, ...], Any]:
    from workbench.data.scenes_drawn import scene

    drawn = scene(seed, DRAWN_SIDE)
    return drawn.names, object_shares(drawn.objects, grid, len(drawn.names))
