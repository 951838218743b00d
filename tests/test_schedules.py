"""Schedules: as text, as values, checked where they are made, and the same masks to the bit."""

import math
import pickle
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import BadInput
from workbench.fills.blur import Blur
from workbench.masks import MASKS, Grid
from workbench.masks.random import Random
from workbench.params import Knob, knobs
from workbench.registry import Member
from workbench.schedules import Ramp, Steps, ramp, steps

GRID = Grid(10, 10)


def test_a_ramp_goes_evenly_or_as_a_half_cosine() -> None:
    assert [ramp(0.5, 0.9).at(p / 4) for p in range(5)] == [0.5, 0.6, 0.7, 0.8, 0.9]
    soft = ramp(0.2, 1.0, shape="cosine")
    for p in (0.1, 0.3, 0.5, 0.8):
        wanted = 0.2 + 0.8 * (1 - math.cos(math.pi * p)) / 2
        assert soft.at(p) == pytest.approx(wanted, abs=1e-11)
    late = ramp(0.9, 0.1, begin=0.25, end=0.75)
    assert [late.at(p) for p in (0, 0.25, 0.5, 0.75, 1)] == [0.9, 0.9, 0.5, 0.1, 0.1]
    assert [ramp(1, 4).at(p) for p in (0, 0.16, 0.17, 0.5, 0.84, 1)] == [1, 1, 2, 3, 4, 4]
    assert all(type(ramp(1, 4).at(p)) is int for p in (0, 0.3, 1))


def test_steps_change_where_they_say() -> None:
    colours = steps("green", 0.25, "blue", 0.5, "red")
    places = (0, 0.2499, 0.25, 0.4999, 0.5, 1)
    assert [colours.at(p) for p in places] == ["green", "green", "blue", "blue", "red", "red"]


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.sampled_from(["linear", "cosine"]))
def test_a_ramp_stays_between_its_ends(first: float, last: float, at: float, shape: str) -> None:
    low, high = sorted((first, last))
    assert low <= ramp(first, last, shape).at(at) <= high
    assert (ramp(first, last, shape).at(0), ramp(first, last, shape).at(1)) == (first, last)


def scheduled() -> list[tuple[str, str]]:
    """Every knob of every strategy that can follow a schedule, with one that does."""
    found = []
    for name in MASKS.names():
        for knob in knobs(MASKS.get(name)):
            high = knob.maximum if knob.soft_maximum is None else knob.soft_maximum
            values: list[object] = list(knob.choices or ())
            if knob.kind == "bool":
                values = [False, True]
            elif knob.kind in ("float", "int") and None not in (knob.minimum, high):
                values = [knob.minimum, high]
            if len(values) < 2:
                continue
            moving = steps(values[0], 0.3, values[-1])
            try:
                found.append((str(MASKS.get(name)(**{knob.name: moving})), knob.name))
                if knob.kind in ("float", "int"):
                    both = MASKS.get(name)(**{knob.name: ramp(*values)})
                    found.append((str(both), knob.name))
            except BadInput as error:  # knobs that contradict each other at one of the ends
                assert name in str(error)
    return found


@pytest.mark.parametrize(("recipe", "knob"), scheduled())
def test_a_scheduled_strategy_is_the_plain_one_at_that_value(recipe: str, knob: str) -> None:
    strategy = MASKS.parse(recipe)
    assert str(strategy) == recipe
    assert strategy.moving == (knob,)
    assert hash(strategy) == hash(MASKS.parse(recipe))
    for progress in (0.0, 0.29, 0.3, 0.61, 1.0):
        value = getattr(strategy, knob).at(progress)
        plain = replace(strategy, **{knob: value})
        assert plain.moving == ()
        maps = {name: np.linspace(0, 1, 300).reshape(3, 10, 10) for name in plain.needs}
        try:
            mask = strategy.sample(GRID, 3, seed=4, step=2, first=9, progress=progress, maps=maps)
        except BadInput:
            with pytest.raises(BadInput):
                plain.sample(GRID, 3, seed=4, step=2, first=9, maps=maps)
            continue
        assert mask == plain.sample(GRID, 3, seed=4, step=2, first=9, maps=maps)


@given(
    st.floats(0, 1), st.floats(0, 1), st.sampled_from(["linear", "cosine"]),
    st.floats(0, 0.49), st.floats(0.5, 1),
)  # fmt: skip
def test_every_ramp_parses_back(
    first: float, last: float, shape: str, begin: float, end: float
) -> None:
    made = Random(ratio=ramp(first, last, shape, begin, end))
    assert MASKS.parse(str(made)) == made
    assert pickle.loads(pickle.dumps(made)) == made


def test_the_canonical_text_is_short() -> None:
    given = "color_noise(color = steps('green', .25,'blue'), sigma=ramp(1,2,'cosine',begin=0))"
    wanted = (
        'color_noise(ratio=0.75, color=steps("green", 0.25, "blue"), '
        'sigma=ramp(1.0, 2.0, shape="cosine"))'
    )
    assert str(MASKS.parse(given)) == wanted
    assert str(Random(ratio=ramp(0, 1))) == "random(ratio=ramp(0.0, 1.0))"
    assert str(MASKS.parse("block(min_patches=ramp(1, 6))").at(0.5)) == (
        "block(ratio=0.4, min_patches=4)"
    )


def test_a_schedule_reaches_the_recipes_below() -> None:
    nested = MASKS.parse(
        'painted(hide="0-3", over=layers(a=random(ratio=ramp(0.1, 0.5)), '
        "b=layer(block(ratio=ramp(0.2, 0.4)), on=False)), lock=steps(None, 0.5, 0.6))"
    )
    assert MASKS.parse(str(nested)) == nested
    assert str(nested.at(0.5)) == (
        'painted(hide="0-3", over=layers(a=random(ratio=0.3), '
        "b=layer(block(ratio=0.3), on=False)), lock=0.6)"
    )
    late = MASKS.parse("painted(over=random(ratio=ramp(0.0, 1.0)))")
    assert late.sample(GRID, progress=1).counts.tolist() == [100]


@pytest.mark.parametrize(
    ("recipe", "sentence"),
    [
        ("random(ratio=ramp(0.5, 1.5))", "random: ratio is 1.5, but must be a number from 0 to 1"),
        ("random(ratio=ramp(-1, 0.5))", "random: ratio is -1, but must be"),
        ("random(ratio=ramp(0.5))", r"missing a required argument: 'last'; write ramp\(first, las"),
        ("random(ratio=ramp(0.5, 0.6, 0.7, 0.8, 0.9, 1))", "too many positional arguments"),
        ("random(ratio=ramp(0.5, 0.9, kind=1))", "unexpected keyword argument 'kind'"),
        ("random(ratio=ramp(0.5, 0.9, end=1, end=1))", "a name is given twice"),
        ("random(ratio=ramp('a', 0.9))", "ramp: first is 'a', but must be a number"),
        ("random(ratio=ramp(0.5, 0.9, shape='round'))", "shape is 'round', but must be one of lin"),
        ("random(ratio=ramp(0.5, 0.9, begin=0.8, end=0.2))", "0 <= begin < end <= 1 must hold"),
        ("random(ratio=ramp(ramp(0, 1), 0.9))", "'ramp' is no known strategy"),
        ("random(ratio=steps(0.5, 0.5))", r"steps: the bounds are \(0.5,\), but values and rising"),
        ("random(ratio=steps(0.5))", r"steps: the bounds are \(\)"),
        ("random(ratio=steps(0.1, 0.5, 0.2, 0.4, 0.3))", "values and rising bounds above 0"),
        ("random(ratio=steps(0.1, 0.5, 2.0))", "ratio is 2.0"),
        ("random(ratio=steps(" + ", ".join(["0.1"] * 99) + "))", "rising bounds"),
        ("color_noise(color=ramp(0, 1))", "a ramp goes between numbers; write steps"),
        ("color_noise(color=steps('green', 0.5, 'pink'))", "color is 'pink', but must be one of"),
        ("color_noise(sigma_low=ramp(0.5, 3))", "sigma_low is 3.0 and sigma_high 2.0"),
        ("block(min_patches=ramp(1.5, 6))", "min_patches is 1.5, but must be a whole number"),
        ("painted(hide=steps('1', 0.5, '2'))", "hide is .*, but must be text"),
        ("painted(over=steps(1, 0.5, 2))", "over is .*, but must be a recipe"),
        ("ramp(0.5, 0.9)", "'ramp' is no known strategy"),
    ],
)
def test_bad_schedules_are_refused_when_the_recipe_is_made(recipe: str, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        MASKS.parse(recipe)


def test_fills_and_other_members_take_no_schedule() -> None:
    with pytest.raises(BadInput, match=r"sigma is .*, but must be a number"):
        Blur(sigma=ramp(1, 2))
    with pytest.raises(BadInput, match="progress is nan, but must be from 0 to 1"):
        Random(ratio=ramp(0, 1)).at(math.nan)
    with pytest.raises(BadInput, match="33 values, at most 32 are read"):
        steps(*[value for at in range(32) for value in (0.5, (at + 1) / 40)], 0.5)


def test_a_check_of_an_author_sees_plain_values_only() -> None:
    seen = []

    @dataclass(frozen=True, kw_only=True)
    class Careful(Member):
        schedules = True
        low: Annotated[float, Knob("a number", 0, 9)] = 1.0
        many: Annotated[int, Knob("a count", 0, 9)] = 1
        word: Annotated[str, Knob("a text")] = ""

        def __post_init__(self) -> None:
            super().__post_init__()
            seen.append((self.low, self.many))
            object.__setattr__(self, "word", self.word.strip())

    made = Careful(low=ramp(2, 4), many=steps(1, 0.5, 7), word=" a ")
    assert made.word == "a"
    assert type(made.low) is Ramp and type(made.many) is Steps
    assert sorted(seen) == [(2.0, 1), (3.0, 7), (4.0, 7)]


def test_a_plain_strategy_is_its_own_answer() -> None:
    plain = Random(ratio=0.5)
    assert plain.at(0.3) is plain and "moving" not in vars(plain)
