"""Hide the patches given by hand, alone or over another recipe, with an optional exact ratio."""

import re
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput, shown
from workbench.masks.lattice import Grid
from workbench.masks.ranking import hide_lowest
from workbench.masks.strategy import Counts, Drawn, Maps, Strategy
from workbench.params import Knob
from workbench.seeds import Noise

LOCK_STREAM = 0x10C4
_PIECE = re.compile(r"\s*(\d{1,9})\s*(?:-\s*(\d{1,9})\s*)?", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Painted(Strategy):
    """Hide (over | hide) - show.

    `hide` and `show` are row-major patch numbers from 0, such as "0-5,17". With `lock` patches are
    then hidden or shown at random until exactly floor(lock * n + 0.5) are hidden; patches painted
    by hand are touched last. Targets of `over` are not kept.
    """

    counts: ClassVar[Counts] = "free"
    always_print: ClassVar[tuple[str, ...]] = ("hide",)

    hide: Annotated[str, Knob("patches hidden by hand, such as 0-5,17")] = ""
    show: Annotated[str, Knob("patches shown by hand, such as 30,44-47")] = ""
    over: Annotated[Strategy | None, Knob("recipe drawn first, below the hand-painted patches")] = (
        None
    )
    lock: Annotated[float | None, Knob("exact share of patches hidden", 0, 1, 0.05)] = None

    def __post_init__(self) -> None:
        """Check the knobs and the two lists of patches."""
        super().__post_init__()
        spans("hide", self.hide)
        spans("show", self.show)

    @property
    def promise(self) -> Counts:
        """Exact when locked."""
        return "free" if self.lock is None else "exact"

    @property
    def needs(self) -> tuple[str, ...]:
        """Score maps of the recipe below."""
        return () if self.over is None else self.over.needs

    def by_hand(self, grid: Grid) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """The patches of `hide` and of `show`."""
        hide, show = cells("hide", self.hide, grid.size), cells("show", self.show, grid.size)
        return hide & ~show, show

    def draw(self, grid: Grid, noise: Noise, maps: Maps) -> Drawn:
        """Paint over the recipe below, then settle the ratio."""
        hidden = np.zeros((noise.count, grid.size), bool)
        if self.over is not None:
            mask = self.over.drawn(grid, noise, maps)
            hidden |= mask.hidden.reshape(hidden.shape)
        hide, show = cells("hide", self.hide, grid.size), cells("show", self.show, grid.size)
        hidden = (hidden | hide) & ~show
        if self.lock is not None:
            hidden = self._locked(hidden, hide, show, noise, grid.count(self.lock))
        return hidden.reshape(-1, *grid.shape)

    def _locked(
        self,
        hidden: NDArray[np.bool_],
        hide: NDArray[np.bool_],
        show: NDArray[np.bool_],
        noise: Noise,
        count: int,
    ) -> NDArray[np.bool_]:
        """Rank: hidden by hand, hidden, shown, shown by hand; at random within each."""
        rank = np.where(hidden, np.uint64(1), np.uint64(2))
        rank = np.where(hide & ~show, np.uint64(0), np.where(show, np.uint64(3), rank))
        keys = noise.bits(hidden.shape[1], LOCK_STREAM).astype(np.uint64)
        return hide_lowest(keys | rank << np.uint64(32), count)


def spans(name: str, text: str) -> list[tuple[int, int]]:
    """Return the (first, last) pairs of "0-5,17".

    Raises:
        BadInput: anything but numbers, commas and hyphens, or a range that runs backwards.
    """
    found: list[tuple[int, int]] = []
    for piece in text.split(",") if text.strip() else []:
        match = _PIECE.fullmatch(piece)
        first = int(match[1]) if match else 1
        last = int(match[2] or first) if match else 0
        if last < first:
            raise BadInput(
                f"painted: {name} holds {shown(piece)}, but must be patch numbers such as '0-5,17'."
            )
        found.append((first, last))
    return found


def cells(name: str, text: str, size: int) -> NDArray[np.bool_]:
    """Return bool [size] of a list of patches; BadInput for a patch beyond the grid."""
    chosen = np.zeros(size, bool)
    for first, last in spans(name, text):
        if last >= size:
            raise BadInput(
                f"painted: {name} names patch {last}, but the grid has patches 0 to {size - 1}; "
                "paint on this grid."
            )
        chosen[first : last + 1] = True
    return chosen
