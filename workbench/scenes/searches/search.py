"""What every search shares: a recipe of knobs, steps of one model call, and the clock."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.registry import Member
from workbench.scenes.batches import Subject, subject
from workbench.scenes.paint import patch_ranges
from workbench.scenes.photos import Pixels
from workbench.scenes.spec import SceneSpec

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class State:
    """Where a search stands after a step.

    `hidden` bool [rows, cols] is the best mask so far and `error` its mean squared error over
    hidden pixels in [0, 1] RGB; `value` is what the search improves; both are NaN before there is
    one. `evaluations` masks were asked about, `planned` in all as far as can be told; `reached`
    says whether the aim is met, None where there is none.
    """

    hidden: Bools
    error: float
    value: float
    evaluations: int
    planned: int
    reached: bool | None = None


@dataclass(frozen=True)
class Progress:
    """A step of a search with its clock.

    `spec` is the scene of the best mask, as a recipe of painted patches that any view opens;
    `history` holds (place, value) of every improvement, the axes named by the search; `rate` is
    masks a second; `remaining` seconds, as far as can be told; `finished` after the last step.
    """

    search: "Search"
    spec: SceneSpec
    state: State
    history: tuple[tuple[int, float], ...]
    seconds: float
    finished: bool

    @property
    def psnr_db(self) -> float:
        """PSNR over hidden pixels, infinite without error."""
        return decibels(self.state.error)

    @property
    def rate(self) -> float:
        """Masks a second so far."""
        return self.state.evaluations / self.seconds if self.seconds > 0 else 0.0

    @property
    def remaining(self) -> float:
        """Seconds to go, as far as can be told; 0 when finished."""
        left = max(self.state.planned - self.state.evaluations, 0)
        return left / self.rate if self.rate > 0 and not self.finished else 0.0


@dataclass(frozen=True, kw_only=True)
class Search(Member):
    """A way to look for a mask: frozen knobs and `run`, which yields after every model call.

    The same recipe on the same photo, model, precision and CPU finds the same mask to the bit. A
    search is cancelled between two steps by closing the generator; nothing of it goes on.
    """

    described: ClassVar[tuple[str, ...]] = ("axes",)
    axes: ClassVar[tuple[str, str]] = ("masks tried", "value")

    def run(self, asked: Subject) -> Iterator[State]:
        """Look for the mask; one State a model call, the last one is the result."""
        raise NotImplementedError

    def place(self, state: State) -> int:
        """Where a state stands on the first axis."""
        return state.evaluations


def watched(
    spec: SceneSpec, looked_for: Search, pixels: Pixels | None = None
) -> Iterator[Progress]:
    """Run a search on a scene's photo and model; the scene's own mask plays no part.

    Args:
        spec: names photo, fit, model, precision and device.
        looked_for: the search.
        pixels: uint8 [h, w, 3] to use in place of the photo that the scene names.

    Raises:
        BadInput: a photo or model that does not exist, or knobs that do not go with the grid.
    """
    asked = subject(spec, pixels)
    settled = spec.replace(precision=asked.precision)
    history: list[tuple[int, float]] = []
    seconds, began = 0.0, time.perf_counter()
    last: Progress | None = None
    for state in looked_for.run(asked):
        seconds += time.perf_counter() - began
        place = looked_for.place(state)
        known = not math.isnan(state.value)
        if known and (not history or history[-1][1] != state.value):
            while history and history[-1][0] >= place:
                history.pop()
            history.append((place, state.value))
        found = settled.replace(mask=painted(state.hidden))
        last = Progress(looked_for, found, state, tuple(history), seconds, False)
        yield last
        began = time.perf_counter()  # the time between steps belongs to others
    if last is not None:
        yield Progress(looked_for, last.spec, last.state, last.history, last.seconds, True)


def painted(hidden: Bools) -> str:
    """The recipe that hides exactly these patches."""
    return f'painted(hide="{patch_ranges("".join("01"[int(cell)] for cell in hidden.ravel()))}")'


def decibels(error: float) -> float:
    """PSNR of a mean squared error in [0, 1]."""
    return math.inf if error == 0 else -10 * math.log10(error)


def evaluated(
    asked: Subject, hidden: Bools
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32]]]:
    """Errors of flat masks bool [b, n] in calls of the right size: rows, and float32 [rows, n]."""
    shape = asked.grid.shape
    for rows in asked.parts(hidden.sum(1)):
        found = asked.patch_errors(hidden[rows].reshape(-1, *shape))
        yield rows, found.reshape(len(rows), -1)
