import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import BadInput, shown
from workbench.params import TEXT_LIMIT, Knob, knobs
from workbench.registry import Member


@dataclass(frozen=True, kw_only=True)
class Inner(Member):
    ratio: Annotated[float, Knob("share", 0, 1, 0.05)] = 0.5


@dataclass(frozen=True, kw_only=True)
class Every(Member):
    share: Annotated[float, Knob("a share", 0, 1, 0.1, soft_maximum=0.9)] = 0.5
    many: Annotated[int, Knob("a count", 1, 9)] = 3
    deep: Annotated[bool, Knob("a switch")] = False
    way: Annotated[str, Knob("a choice", choices=("up", "down"))] = "up"
    word: Annotated[str, Knob("a text")] = ""
    lock: Annotated[float | None, Knob("maybe a share", 0, 1)] = None
    over: Annotated[Inner | None, Knob("a recipe below")] = None


def test_a_declaration_is_read_back_whole():
    found = {knob.name: knob for knob in knobs(Every)}
    kinds = {name: knob.kind for name, knob in found.items()}
    assert kinds == {
        "share": "float", "many": "int", "deep": "bool", "way": "choice",
        "word": "text", "lock": "float", "over": "recipe",
    }  # fmt: skip
    share = found["share"]
    limits = (share.minimum, share.maximum, share.step, share.soft_maximum, share.help)
    assert limits == (0, 1, 0.1, 0.9, "a share")
    assert found["way"].choices == ("up", "down")
    assert [name for name, knob in found.items() if knob.optional] == ["lock", "over"]
    assert found["many"].default == 3


def test_a_field_without_a_knob_is_an_authors_mistake():
    @dataclass(frozen=True, kw_only=True)
    class Bare(Member):
        ratio: float = 0.5

    with pytest.raises(TypeError, match=r"Bare\.ratio needs Annotated"):
        Bare()


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("share", -0.1, "share is -0.1, but must be a number from 0 to 1"),
        ("share", 1.5, "share is 1.5, but must be a number from 0 to 1"),
        ("share", math.nan, "share is nan, but must be a number from 0 to 1"),
        ("share", math.inf, "share is inf"),
        ("share", 10**400, "share is 10"),
        ("share", True, "share is True"),
        ("share", "0.5", "share is '0.5'"),
        ("share", None, "share is None"),
        ("share", 1j, "share is 1j"),
        ("many", 0, "many is 0, but must be a whole number from 1 to 9; take for example many=3"),
        ("many", 2.5, "many is 2.5"),
        ("many", math.nan, "many is nan"),
        ("many", False, "many is False"),
        ("many", 10**400, "many is 10"),
        ("many", math.inf, "many is inf"),
        ("deep", 1, "deep is 1, but must be True or False"),
        ("way", "left", "way is 'left', but must be one of 'up', 'down'; take 'up'"),
        ("way", ["up"], r"way is \['up'\]"),
        ("word", "x" * (TEXT_LIMIT + 1), "but must be text of at most"),
        ("word", 3, "word is 3"),
        ("lock", 2, "lock is 2, but must be a number from 0 to 1"),
        ("over", "inner", "over is 'inner', but must be a recipe"),
    ],
)
def test_a_bad_value_is_refused_with_value_and_rule(name, value, sentence):
    with pytest.raises(BadInput, match=sentence) as caught:
        Every(**{name: value})
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_equal_values_make_equal_recipes_whatever_their_type():
    plain = Every(share=1.0, many=2, lock=0.25)
    odd = Every(share=np.float64(1), many=np.int32(2), lock=np.float64(0.25))
    assert odd == plain and str(odd) == str(plain) and hash(odd) == hash(plain)
    assert type(odd.share) is float and type(odd.many) is int
    assert str(Every(share=-0.0)) == "test_params(share=0.0)"
    assert Every(many=4.0).many == 4


def test_the_recipe_prints_what_differs_and_what_is_always_told():
    assert str(Every()) == "test_params()"
    assert str(Inner()) == "test_params(ratio=0.5)"
    full = Every(share=0.25, deep=True, word='say "hi"', over=Inner(ratio=0.1))
    assert str(full) == (
        "test_params(share=0.25, deep=True, word='say \"hi\"', over=test_params(ratio=0.1))"
    )


@given(st.floats(0, 1))
def test_every_legal_share_is_kept_to_the_bit(share):
    assert Every(share=share).share == share


def test_a_hostile_repr_cannot_hide_the_complaint():
    class Hostile:
        def __repr__(self):
            raise RuntimeError

    with pytest.raises(BadInput, match="share is <Hostile>"):
        Every(share=Hostile())
    assert len(shown("x" * 10_000)) == 60
