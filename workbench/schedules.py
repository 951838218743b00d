"""Knobs that follow a training: `ramp(0.5, 0.9)`, `steps("green", 0.25, "blue")`."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from workbench.errors import BadInput, shown

SHAPES = ("linear", "cosine")
STAGE_LIMIT = 32
DIGITS = 12  # so that half of the way from 0.1 to 0.5 is 0.3 and not 0.30000000000000004


@dataclass(frozen=True)
class Schedule:
    """What stands in a recipe in place of a knob's value; `at` tells the value for a progress."""

    moving: ClassVar[tuple[str, ...]] = ("value",)

    def at(self, progress: float) -> Any:
        """Return the plain value for a progress from 0 to 1."""
        raise NotImplementedError

    def points(self) -> tuple[float, ...]:
        """Progresses at which the value has to be legal so that it is everywhere."""
        return (0.0, 1.0)

    def mapped(self, change: Callable[[Any], Any]) -> "Schedule":
        """Return the same schedule with every named value changed."""
        raise NotImplementedError


@dataclass(frozen=True)
class Ramp(Schedule):
    """From `first` to `last` while the progress goes from `begin` to `end`; flat before and after.

    linear: first + (last - first) t; cosine: with (1 - cos(pi t)) / 2 in place of t. Two whole
    numbers give whole numbers, rounded half up.
    """

    first: float
    last: float
    shape: str = "linear"
    begin: float = 0.0
    end: float = 1.0

    def __post_init__(self) -> None:
        """Check the shape and the stretch of training."""
        for name in ("first", "last", "begin", "end"):
            if not _is_number(getattr(self, name)):
                raise BadInput(
                    f"ramp: {name} is {shown(getattr(self, name))}, but must be a number; write "
                    'ramp(0.5, 0.9), or steps("a", 0.5, "b") for words.'
                )
        if self.shape not in SHAPES:
            raise BadInput(
                f"ramp: shape is {shown(self.shape)}, but must be one of {', '.join(SHAPES)}."
            )
        if not 0 <= self.begin < self.end <= 1:
            raise BadInput(
                f"ramp: begin is {self.begin} and end {self.end}, but 0 <= begin < end <= 1 must "
                "hold; take for example begin=0.1, end=0.8."
            )

    def at(self, progress: float) -> float:
        """Return the number for a progress from 0 to 1."""
        part = (progress - self.begin) / (self.end - self.begin)
        if part <= 0 or part >= 1:
            return self.first if part <= 0 else self.last
        if self.shape == "cosine":
            part = (1 - math.cos(math.pi * part)) / 2
        value = self.first + (self.last - self.first) * part
        if isinstance(self.first, int) and isinstance(self.last, int):
            return math.floor(value + 0.5)
        low, high = sorted((self.first, self.last))
        return min(max(round(value, DIGITS), low), high)

    def points(self) -> tuple[float, ...]:
        """Both ends, where the knob's limits are met if they are met anywhere."""
        return (0.0, self.begin, self.end, 1.0)

    def mapped(self, change: Callable[[Any], Any]) -> "Ramp":
        """Return the ramp between the changed ends."""
        return replace(self, first=change(self.first), last=change(self.last))

    def __str__(self) -> str:
        """Return `ramp(0.5, 0.9)` with the options that differ from their default."""
        options = "".join(
            f", {name}={_word(getattr(self, name))}"
            for name, usual in (("shape", "linear"), ("begin", 0.0), ("end", 1.0))
            if getattr(self, name) != usual
        )
        return f"ramp({_word(self.first)}, {_word(self.last)}{options})"


@dataclass(frozen=True)
class Steps(Schedule):
    """One value after another: `stages[i]` until the progress reaches `until[i]`, the last to 1."""

    stages: tuple[Any, ...]
    until: tuple[float, ...]

    def __post_init__(self) -> None:
        """Check that the bounds rise."""
        rising = all(_is_number(bound) and 0 < bound <= 1 for bound in self.until)
        rising = rising and list(self.until) == sorted(set(self.until))
        if len(self.stages) != len(self.until) + 1 or not self.until or not rising:
            raise BadInput(
                f"steps: the bounds are {shown(self.until)}, but values and rising bounds above 0 "
                'must take turns; write steps("green", 0.25, "blue", 0.5, "red").'
            )
        if len(self.stages) > STAGE_LIMIT:
            raise BadInput(f"steps: {len(self.stages)} values, at most {STAGE_LIMIT} are read.")

    def at(self, progress: float) -> Any:
        """Return the value for a progress from 0 to 1."""
        for value, bound in zip(self.stages, self.until, strict=False):
            if progress < bound:
                return value
        return self.stages[-1]

    def points(self) -> tuple[float, ...]:
        """Where each value begins, and the end."""
        return (0.0, *self.until, 1.0)

    def mapped(self, change: Callable[[Any], Any]) -> "Steps":
        """Return the steps with every value changed."""
        return replace(self, stages=tuple(change(value) for value in self.stages))

    def __str__(self) -> str:
        """Return `steps("green", 0.25, "blue")`."""
        words = [_word(self.stages[0])]
        for bound, value in zip(self.until, self.stages[1:], strict=True):
            words += [_word(bound), _word(value)]
        return f"steps({', '.join(words)})"


def ramp(
    first: float, last: float, shape: str = "linear", begin: float = 0.0, end: float = 1.0
) -> Any:
    """Return a schedule from `first` to `last`, for any numeric knob.

    >>> from workbench.masks.random import Random
    >>> late = Random(ratio=ramp(0.5, 0.9))
    >>> str(late), late.at(0.25)
    ('random(ratio=ramp(0.5, 0.9))', Random(ratio=0.6))

    Args:
        first: value until `begin`.
        last: value from `end` on.
        shape: "linear" or "cosine" (slow, fast, slow).
        begin: progress, 0 to 1, at which the value begins to move.
        end: progress at which it has arrived.

    Raises:
        BadInput: no numbers, another shape, or begin not before end.
    """
    return Ramp(first, last, shape, begin, end)


def steps(*values: Any) -> Any:
    """Return a schedule of values and the progress at which the next one begins, in turns.

    >>> steps("green", 0.25, "blue", 0.5, "red").at(0.3)
    'blue'

    Raises:
        BadInput: an even number of values, or bounds that do not rise from 0 to 1.
    """
    return Steps(values[::2], values[1::2])


FORMS: dict[str, Callable[..., Any]] = {"ramp": ramp, "steps": steps}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _word(value: Any) -> str:
    plain = isinstance(value, str) and value.isprintable() and not {'"', "\\"} & set(value)
    return f'"{value}"' if plain else repr(value)
