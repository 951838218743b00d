"""Knobs of a recipe: declared once on a frozen dataclass, read by every user interface."""

import dataclasses
import math
import types
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from workbench.errors import BadInput, shown
from workbench.schedules import Ramp, Schedule

Kind = Literal["float", "int", "bool", "choice", "text", "recipe", "ints", "floats"]
TEXT_LIMIT = 16_384
LIST_LIMIT = 4_096


@dataclass(frozen=True)
class Knob:
    """What a field of a recipe accepts; stands in `Annotated[type, Knob(...)]`.

    `minimum` and `maximum` are hard limits (inclusive); `soft_maximum` is where a slider ends when
    the hard limit is far away; `step` is the slider's step and never refuses a value. `fixed` marks
    what is read once, before the first step: it takes no schedule.
    """

    help: str
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    choices: tuple[str, ...] | None = None
    soft_maximum: float | None = None
    fixed: bool = False


@dataclass(frozen=True)
class KnobSpec:
    """One knob of a class, as the CLI, the app and the tests read it."""

    name: str
    kind: Kind
    default: Any
    minimum: float | None
    maximum: float | None
    step: float | None
    choices: tuple[str, ...] | None
    help: str
    soft_maximum: float | None = None
    optional: bool = False
    fixed: bool = False


def knobs(cls: type) -> tuple[KnobSpec, ...]:
    """Return the knobs of a recipe class in declaration order.

    >>> from workbench.masks.random import Random
    >>> [(knob.name, knob.kind, knob.default, knob.maximum) for knob in knobs(Random)]
    [('ratio', 'float', 0.75, 1)]

    Raises:
        TypeError: a field is not declared with `Annotated[..., Knob(...)]` (an author's mistake).
    """
    return tuple(spec for spec, _ in _declared(cls))


@cache
def _declared(cls: type) -> tuple[tuple[KnobSpec, tuple[type, ...]], ...]:
    hints = get_type_hints(cls, include_extras=True)
    return tuple(_spec(cls, field, hints[field.name]) for field in dataclasses.fields(cls))


def _spec(
    cls: type, field: "dataclasses.Field[Any]", hint: Any
) -> tuple[KnobSpec, tuple[type, ...]]:
    metadata = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    found = [part for part in metadata if isinstance(part, Knob)]
    if len(found) != 1:
        raise TypeError(f"{cls.__name__}.{field.name} needs Annotated[type, Knob(...)]")
    knob, plain = found[0], get_args(hint)[0]
    members = get_args(plain) if get_origin(plain) in (Union, types.UnionType) else (plain,)
    accepted = tuple(member for member in members if member is not type(None))
    kinds: dict[Any, Kind] = {
        float: "float", int: "int", bool: "bool", str: "text",
        tuple[int, ...]: "ints", tuple[float, ...]: "floats",
    }  # fmt: skip
    kind = kinds.get(accepted[0], "recipe") if knob.choices is None else "choice"
    default = None if field.default is dataclasses.MISSING else field.default
    spec = KnobSpec(
        field.name, kind, default, knob.minimum, knob.maximum, knob.step, knob.choices,
        knob.help, knob.soft_maximum, len(accepted) < len(members), knob.fixed,
    )  # fmt: skip
    return spec, accepted


def validate(instance: Any, label: str) -> None:
    """Check every knob of a frozen dataclass and store it in its plain type.

    An int given to a float knob becomes a float and NumPy scalars become Python's, so that equal
    recipes compare and print equal. A schedule is checked value by value, where the class allows
    schedules at all.

    Raises:
        BadInput: a value of the wrong type, NaN, out of range or not among the choices.
    """
    for spec, accepted in _declared(type(instance)):
        value = getattr(instance, spec.name)
        if isinstance(value, Schedule) and instance.schedules:
            cleaned = _scheduled(label, spec, accepted, value)
        else:
            cleaned = _clean(label, spec, accepted, value)
        if cleaned is not value:
            object.__setattr__(instance, spec.name, cleaned)


def check_width(label: str, dim: int, heads: int, names: tuple[str, str]) -> None:
    """Refuse a width that its heads, or the four parts of sine-cosine places, do not divide.

    Raises:
        BadInput: with a width near it that goes.
    """
    common = math.lcm(heads, 4)
    if dim % common:
        raise BadInput(
            f"{label}: {names[0]} is {dim} and {names[1]} {heads}, but the width must be a "
            f"multiple of the heads and of 4; take for example {names[0]}="
            f"{common * max(1, dim // common, -(-8 // common))}."
        )


def _scheduled(label: str, spec: KnobSpec, accepted: tuple[type, ...], value: Schedule) -> Schedule:
    if spec.fixed:
        raise BadInput(
            f"{label}: {spec.name} is {shown(str(value))}, but it is read once, before the first "
            f"step; write one value, such as {spec.name}={spec.default!r}."
        )
    named = spec.kind in ("bool", "choice")
    if not (named or spec.kind in ("float", "int")):
        raise BadInput(f"{label}: {spec.name} is {shown(str(value))}, but {_wanted(spec)}.")
    if named and isinstance(value, Ramp):
        raise BadInput(
            f"{label}: {spec.name} is {value}, but a ramp goes between numbers; write "
            f"steps({spec.default!r}, 0.5, ...)."
        )
    return value.mapped(lambda each: _clean(label, spec, accepted, each))


def _clean(label: str, spec: KnobSpec, accepted: tuple[type, ...], value: Any) -> Any:
    if value is None and spec.optional:
        return None
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "shape", None) == ():
        value = item()
    good: Any = None
    if spec.kind == "float" and isinstance(value, int | float) and not isinstance(value, bool):
        good = _finite(value)
    elif spec.kind == "int" and isinstance(value, int | float) and not isinstance(value, bool):
        good = int(value) if isinstance(value, int) or value.is_integer() else None
    elif spec.kind == "bool" and isinstance(value, bool):
        good = value
    elif spec.kind == "choice" and spec.choices is not None and value in spec.choices:
        good = value
    elif spec.kind == "text" and isinstance(value, str) and len(value) <= TEXT_LIMIT:
        good = value
    elif spec.kind == "recipe" and isinstance(value, accepted):
        good = value
    elif spec.kind in ("ints", "floats"):
        good = _listed(spec, value)
    if good is None or not _inside(spec, good):
        raise BadInput(f"{label}: {spec.name} is {shown(value)}, but {_wanted(spec)}.")
    return good


def _listed(spec: KnobSpec, value: Any) -> tuple[float, ...] | None:
    """A list of numbers as a tuple of plain ones; None where one of them is not legal."""
    if isinstance(value, str) or not isinstance(value, Sequence) or len(value) > LIST_LIMIT:
        return None
    kinds = (int,) if spec.kind == "ints" else (int, float)
    found: list[float] = []
    for each in cast(Sequence[Any], value):
        item = getattr(each, "item", None)
        number = item() if callable(item) and getattr(each, "shape", None) == () else each
        if not isinstance(number, kinds) or isinstance(number, bool):
            return None
        plain = number if spec.kind == "ints" else _finite(number)
        if plain is None:
            return None
        found.append(plain)
    return tuple(found)


def _finite(value: float) -> float | None:
    try:
        number = float(value)
    except OverflowError:
        return None
    return number + 0.0 if math.isfinite(number) else None  # + 0.0 turns -0.0 into 0.0


def _inside(spec: KnobSpec, value: Any) -> bool:
    if spec.kind in ("ints", "floats"):
        return all(_inside(replace(spec, kind="float"), each) for each in value)
    low = spec.minimum is None or value >= spec.minimum
    return low and (spec.maximum is None or value <= spec.maximum)


def _wanted(spec: KnobSpec) -> str:
    names = {
        "float": "a number", "int": "a whole number", "bool": "True or False",
        "ints": "a list of whole numbers, each", "floats": "a list of numbers, each",
    }  # fmt: skip
    kind = names.get(spec.kind, f"text of at most {TEXT_LIMIT} characters")
    if spec.choices is not None:
        return f"must be one of {', '.join(map(repr, spec.choices))}; take {spec.default!r}"
    if spec.kind == "recipe":
        return "must be a recipe such as random(ratio=0.75)"
    if spec.minimum is not None and spec.maximum is not None:
        kind += f" from {spec.minimum:.10g} to {spec.maximum:.10g}"
    elif spec.minimum is not None:
        kind += f" of at least {spec.minimum:.10g}"
    example = list(spec.default) if isinstance(spec.default, tuple) else spec.default
    return f"must be {kind.removesuffix(', each')}; take for example {spec.name}={example!r}"
