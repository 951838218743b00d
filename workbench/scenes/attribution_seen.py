"""What a network sees of a photo that is explained, and how far the work has come."""

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.data.images import fit
from workbench.masks import Grid
from workbench.scenes.attribution_spec import AttributionSpec
from workbench.scenes.photos import Pixels

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Said:
    """What a network says of the photo: `scores` are (class, name, probability), the best first."""

    row: int
    name: str
    photo: Pixels
    grid: Grid
    scores: tuple[tuple[int, str, float], ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class MapMade:
    """One map: `found` is an `Attribution`, or None with the `problem` that kept it from being.

    `cells` are the means over the network's cells and `top` the size at which a scale ends: the
    largest, or where values are many the size that one of two hundred exceeds.
    """

    row: int
    network: str
    method: str
    found: Any = None
    cells: Floats | None = None
    top: float = 0.0
    signed: bool = True
    problem: str = ""


@dataclass(frozen=True, eq=False)
class Made:
    """Progress in pictures shown, with whatever has just been finished."""

    done: int
    total: int
    said: Said | None = None
    map: MapMade | None = None
    judged: Any = None
    agreement: Any = None


@dataclass(eq=False)
class Seen:
    """One network with its picture; what it was asked for."""

    row: int
    name: str
    network: Any
    photo: Pixels
    image: Floats
    grid: Grid
    maps: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(eq=False)
class Count:
    """How many pictures were shown, of about how many."""

    total: int
    before: int = 0

    def within(self, planned: int, step: Any) -> Made:
        """A step of a part that was planned to show so many."""
        share = step.done / max(step.total, 1)
        return Made(self.before + int(planned * min(share, 1.0)), self.total)

    def left_out(self, planned: int, **brought: Any) -> Made:
        """A part that was planned to show so many and shows none."""
        self.total -= planned
        return Made(self.before, self.total, **brought)

    def after(self, planned: int, **brought: Any) -> Made:
        """The end of such a part."""
        self.before += planned
        return Made(self.before, self.total, **brought)


def look(spec: AttributionSpec, row: int, name: str, found: Any, whole: Pixels) -> Seen:
    """A network with the picture as it sees it."""
    from workbench.explain.removal import cells_of

    photo = fit(whole, found.size[0], found.size[1], spec.fit)
    image = np.ascontiguousarray(photo.transpose(2, 0, 1), np.float32) / np.float32(255)
    return Seen(row, name, found, photo, image, cells_of(found, found.size))


def planned(method: str, seen: Seen) -> int:
    """About how many pictures a method shows."""
    from workbench.explain.methods import METHODS

    chosen = METHODS.parse(method)
    for knob in ("count", "draws", "steps"):
        if hasattr(chosen, knob):
            return int(getattr(chosen, knob))
    return seen.grid.size if chosen.removes else 1


def steps_of(spec: AttributionSpec, seen: Seen, method: str, image: Floats | None = None) -> Any:
    """The generator that explains: `explaining` with everything that `spec` says."""
    from workbench.explain.attributing import explaining

    return explaining(
        seen.network, seen.image if image is None else image, spec.target or None, method,
        spec.remove, grid=seen.grid, seed=spec.seed, batch=spec.batch, precision=spec.precision,
    )  # fmt: skip


def counted(steps: Any, count: Count, budget: int) -> Generator[Made, None, Any]:
    """Hand on the steps of a search as progress; returns what it found."""
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            return end.value
        yield count.within(budget, step)
