"""Layers: the algebra, the order, hand edits, the lock, and one recipe for a whole stack."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import BadInput
from workbench.masks import MASKS, Grid, Mask
from workbench.masks.layers import OPS, PLACES, Layer, Layers, layer
from workbench.masks.painted import Painted
from workbench.masks.random import Random
from workbench.masks.strategy import Strategy
from workbench.seeds import Noise

GRID = Grid(9, 11)
PARTS = st.one_of(
    st.builds(Random, ratio=st.integers(0, 20).map(lambda n: n / 20)),
    st.integers(0, 90).map(lambda n: Painted(hide=f"{n}-{n + 8}")),
    st.integers(0, 90).map(lambda n: Painted(hide="3-60", show=f"{n}-{n + 8}")),
    st.just(MASKS.parse("block(ratio=0.3)")),
    st.just(MASKS.parse("layers(a=random(ratio=0.5), b=grid(ratio=0.5))")),
)
LAYERS = st.builds(
    layer, PARTS, st.sampled_from(OPS), st.booleans(), st.booleans(),
    st.one_of(st.none(), st.integers(0, 9)),
)  # fmt: skip
STACKS = st.lists(LAYERS, max_size=8)
LOCKS = st.one_of(st.none(), st.integers(0, 20).map(lambda n: n / 20))


def stacked(parts: list[Layer | Strategy], lock: float | None = None) -> Layers:
    return Layers(**dict(zip(PLACES, parts, strict=False)), lock=lock)


def joined(stack: Layers, count: int, seed: int, first: int = 0) -> Mask:
    """The stack by the algebra of masks, each layer drawn by itself."""
    result = None
    for one in (each for each in stack.stack if each.on):
        noise = Noise(seed, 0, first, count).branch(one.draw or 0)
        own = one.of.sample(GRID, count, seed=noise.seed, first=first)
        own = ~own if one.invert else own
        shown = isinstance(one.of, Painted) and not one.invert
        if result is None:
            result = own
            continue
        if one.op == "or" and shown:
            result = result - Painted(hide=one.of.show).sample(GRID)
        operation = {"or": "__or__", "and": "__and__", "minus": "__sub__", "xor": "__xor__"}[one.op]
        result = getattr(result, operation)(own)
    return result or Mask(np.zeros((count, *GRID.shape), bool), GRID)


@given(STACKS, st.integers(0, 1 << 40))
def test_a_stack_is_the_algebra_of_its_layers(parts: list[Layer | Strategy], seed: int) -> None:
    stack = stacked(parts)
    assert stack.sample(GRID, 3, seed=seed, first=5) == joined(stack, 3, seed, first=5)


@given(STACKS, LOCKS)
def test_every_stack_parses_back_and_no_row_depends_on_its_batch(
    parts: list[Layer | Strategy], lock: float | None
) -> None:
    stack = stacked(parts, lock)
    assert MASKS.parse(str(stack)) == stack
    batch = stack.sample(GRID, 4, seed=3, first=20)
    assert batch[2] == stack.sample(GRID, 1, seed=3, first=22)
    if lock is not None:
        assert set(batch.counts.tolist()) == {GRID.count(lock)}


UNPAINTED = PARTS.filter(lambda part: not isinstance(part, Painted))


@given(UNPAINTED, st.integers(0, 90), st.integers(0, 90), LOCKS, st.integers(0, 1 << 40))
def test_a_painted_layer_on_top_is_paint_over_a_recipe(
    below: Strategy, hide: int, show: int, lock: float | None, seed: int
) -> None:
    edits = {"hide": f"{hide}-{hide + 8}", "show": f"{show}-{show + 4}"}
    old = Painted(**edits, over=below, lock=lock).sample(GRID, 3, seed=seed)
    new = Layers(a=below, b=Painted(**edits), lock=lock).sample(GRID, 3, seed=seed)
    assert new == old


def test_layers_draw_apart_and_alike_only_if_told() -> None:
    apart = MASKS.parse("layers(a=random(ratio=0.5), b=layer(random(ratio=0.5), op='xor'))")
    differing = apart.sample(Grid(40, 40), 20).ratio
    assert np.all((differing > 0.4) & (differing < 0.6))  # two independent halves differ in half
    alike = MASKS.parse("layers(a=random(ratio=0.5), b=layer(random(ratio=0.5), op='xor', draw=0))")
    assert set(alike.sample(Grid(40, 40), 20).counts.tolist()) == {0}


def test_the_bottom_layer_is_the_strategy_alone_and_a_moved_layer_keeps_its_draw() -> None:
    alone = MASKS.parse("random(ratio=0.3)").sample(GRID, 5, seed=8)
    assert MASKS.parse("layers(a=random(ratio=0.3))").sample(GRID, 5, seed=8) == alone
    low, high = "random(ratio=0.5)", "block(ratio=0.2)"
    one = MASKS.parse(f"layers(a={low}, b={high})").sample(GRID, 5, seed=8)
    other = MASKS.parse(f"layers(a=layer({high}, draw=1), b=layer({low}, draw=0))")
    assert other.sample(GRID, 5, seed=8) == one


def test_the_lowest_layer_that_is_on_begins_whatever_its_operation() -> None:
    for op in OPS:
        text = f'layers(a=layer(random(), on=False), b=layer(painted(hide="0-4"), op="{op}"))'
        mask = MASKS.parse(text).sample(GRID)
        assert mask.hidden_indices().tolist() == [[0, 1, 2, 3, 4]]


def test_the_lock_touches_painted_patches_last() -> None:
    text = 'layers(a=random(ratio=0.9), b=layer(painted(hide="0-9"), op="minus"), lock={})'
    for lock, shown in ((0.5, 10), (0.9, 10), (0.95, 5)):
        mask = MASKS.parse(text.format(lock)).sample(GRID, 20)
        assert set(mask.counts.tolist()) == {GRID.count(lock)}
        visible = ~mask.hidden.reshape(20, -1)[:, :10]
        assert set(np.count_nonzero(visible, axis=1).tolist()) == {shown}
    kept = MASKS.parse('layers(a=random(ratio=0.9), b=painted(hide="0-9"), lock=0.2)')
    assert kept.sample(GRID, 20).hidden.reshape(20, -1)[:, :10].all()


def test_needs_add_up_of_the_layers_that_are_on() -> None:
    class Looks(Random):
        name = "looks"
        needs = ("edges()",)

        def draw(self, grid, noise, maps):
            return maps["edges()"] > 0

    class Others(Looks):
        name = "others"
        needs = ("edges()", "entropy()")

    stack = Layers(a=Looks(), b=Random(ratio=0.0), c=layer(Others(), "minus", on=False))
    assert stack.needs == ("edges()",)
    assert Painted(over=Layers(a=Looks(), h=Others())).needs == ("edges()", "entropy()")
    maps = np.zeros((2, *GRID.shape))
    maps[1, 3] = 1
    assert stack.sample(GRID, 2, maps=maps).counts.tolist() == [0, GRID.cols]
    assert stack.sample(GRID, 2, maps={"edges()": maps}).counts.tolist() == [0, GRID.cols]
    with pytest.raises(BadInput, match=r"layers needs the score map edges\(\), but none was given"):
        stack.sample(GRID, 2)


@pytest.mark.parametrize(
    ("recipe", "sentence"),
    [
        ("layers(a=layer(random(), op='plus'))", "op is 'plus', but must be one of or, and, minus"),
        ("layers(a=layer(random(), on=1))", "on is 1, but must be True or False"),
        ("layers(a=layer(random(), draw=-1))", "draw is -1, but must be a whole number from 0"),
        ("layers(a=layer())", "missing a required argument: 'of'; write layer\\(of, op, on"),
        ("layers(a=layer(5))", "layer: of is 5, but must be a recipe"),
        ("layers(a=layer('random()'))", "of is 'random\\(\\)', but must be a recipe"),
        ("layers(a='random()')", "a is 'random\\(\\)', but must be a recipe"),
        ("layers(i=random())", "'i' is no knob of it; choose one of: a, b, c, d, e, f, g, h, lock"),
        ("layers(random())", "stands without a name; write knob=value"),
        ("layers(a=random(), lock=2)", "lock is 2, but must be a number from 0 to 1"),
        ("layers(a=layer(layer(random())))", "'layer' is no known strategy"),
        ("painted(over=layer(random()))", "'layer' is no known strategy"),
        ("layer(random())", "'layer' is no known strategy"),
        ("layers(a=[random()])", "a is .*Random.*, but must be a recipe"),
        ("layers(a=layer(random(ratio=ramp(0, 2))))", "ratio is 2"),
    ],
)
def test_a_bad_stack_is_refused_in_a_sentence(recipe: str, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        MASKS.parse(recipe)


def test_patches_beyond_the_grid_are_refused() -> None:
    with pytest.raises(BadInput, match="names patch 99, but the grid has patches 0 to 98"):
        MASKS.parse('layers(a=random(), b=painted(hide="99"))').sample(GRID)
