"""Every strategy, because it exists, keeps these promises."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import BadInput
from workbench.masks import MASKS, Grid, Mask, Strategy
from workbench.params import knobs
from workbench.seeds import Noise

GRIDS = {
    "square": Grid(14, 14),
    "wide": Grid(7, 12, patch=8),
    "tall": Grid(11, 5),
    "row": Grid(1, 17, patch=1, domain="sequence"),
    "column": Grid(9, 1),
    "one": Grid(1, 1),
    "clip": Grid(6, 5, frames=4),
    "spectrum": Grid(8, 9, patch=1, domain="frequency"),
}
NAMES = MASKS.names()


def _settings(name: str) -> list[Strategy]:
    """The default, both switches, every choice, both ends of every slider."""
    member = MASKS.get(name)
    found = [member()]
    for knob in knobs(member):
        values = {
            "bool": [True, False],
            "choice": list(knob.choices or ()),
            "float": [knob.minimum, knob.soft_maximum or knob.maximum],
            "int": [knob.minimum, knob.soft_maximum or knob.maximum],
        }.get(knob.kind, [])
        for value in values:
            try:
                found.append(dataclasses.replace(found[0], **{knob.name: value}))
            except BadInput as error:  # knobs that contradict each other say so
                assert knob.name.rpartition("_")[0] in str(error)
    return list(dict.fromkeys(found))


CASES = [(strategy, grid) for name in NAMES for strategy in _settings(name) for grid in GRIDS]


def _maps(strategy: Strategy, grid: Grid, count: int, first: int = 0, images: int | None = None):
    """A map for each image that is the same alone and in a batch; labels 0 to 5 where they serve.

    With `images` only so many different ones, over and over.
    """
    which = (first + np.arange(count)) % (images or 1 << 40)
    noise = [Noise(99, 0, int(at), 1).uniform(grid.size) for at in which]
    scores = np.concatenate(noise).reshape(count, *grid.shape)
    if getattr(strategy, "score_kind", "values") == "labels":
        scores = np.floor(6 * scores)
    return dict.fromkeys(strategy.needs, scores)


def _same_map(strategy: Strategy, grid: Grid, count: int, **where) -> Mask:
    """Masks of images that all look the same, so that only noise tells them apart."""
    return strategy.sample(grid, count, maps=_maps(strategy, grid, count, images=1), **where)


def _draw(strategy: Strategy, grid: Grid, count: int, **where) -> Mask | None:
    """Return masks, or None where the strategy refuses the grid in a sentence."""
    try:
        maps = _maps(strategy, grid, count, where.get("first", 0))
        return strategy.sample(grid, count, maps=maps, **where)
    except BadInput as error:
        assert strategy.name in str(error) and str(error).endswith(".")
        return None


@pytest.mark.parametrize(("strategy", "shape"), CASES, ids=lambda value: str(value))
def test_shape_count_and_independence_of_the_batch(strategy, shape):
    grid = GRIDS[shape]
    batch = _draw(strategy, grid, 9, seed=5, step=2, first=60)
    if batch is None:
        assert grid.frames is not None or getattr(strategy, "legacy", False)
        return
    assert batch.hidden.shape == (9, *grid.shape) and batch.hidden.dtype == np.bool_
    assert batch.ratio.tolist() == (batch.counts / grid.size).tolist()
    ratio = getattr(strategy, "ratio", None)
    if ratio is None:
        ratio = getattr(strategy, "lock", None)
    if strategy.promise == "exact":
        assert set(batch.counts.tolist()) == {int(np.floor(round(ratio * grid.size, 9) + 0.5))}
    if strategy.promise != "free" and ratio in (0, 1):
        alone = strategy.name in ("cross_view", "conditional")  # the ratio of one frame
        all_cells = grid.rows * grid.cols if alone else grid.size
        assert set(batch.counts.tolist()) == {round(ratio) * all_cells}
    assert _draw(strategy, grid, 9, seed=5, step=2, first=60) == batch
    for row in range(9):
        assert _draw(strategy, grid, 1, seed=5, step=2, first=60 + row) == batch[row]


@pytest.mark.parametrize("name", NAMES)
def test_a_large_batch_is_made_of_the_same_rows(name):
    """Also across the chunks that a large batch is drawn in."""
    strategy, grid = MASKS.get(name)(), GRIDS["square"]
    count = 2 * max(1, strategy.chunk_cells // grid.size) + 5 if not strategy.needs_maps else 50
    count = min(count, 6_000)
    batch = _draw(strategy, grid, count, seed=1)
    assert batch is not None
    for first, length in [(0, 1), (count // 2, 7), (count - 300 if count > 300 else 0, 50)]:
        assert _draw(strategy, grid, length, seed=1, first=first) == batch[first : first + length]


# Fewest different masks among 64 images, where not nearly all differ: few places or few sides.
FEW = {"stripes": 2, "checker": 2, "frequency_disc": 2, "frequency_band": 2, "band": 10,
       "channels": 6, "time_span": 10, "mixing": 1, "objects": 2}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_seed_step_and_image_change_a_random_mask(name):
    strategy = MASKS.get(name)()
    grid = Grid(14, 14, frames=4) if strategy.frames else GRIDS["square"]
    many = _same_map(strategy, grid, 64)
    kinds = len({mask.to_bits() for mask in many})
    if kinds == 1 and name not in FEW:  # nothing random in it
        assert _same_map(strategy, grid, 64, seed=9, step=9) == many
        return
    assert kinds >= FEW.get(name, 60)
    assert _same_map(strategy, grid, 64, seed=1) != many
    assert _same_map(strategy, grid, 64, step=1) != many


@pytest.mark.parametrize("name", NAMES)
def test_the_description_holds(name):
    strategy = MASKS.get(name)()
    assert strategy.name == name and MASKS.parse(str(strategy)) == strategy
    assert strategy.counts in ("exact", "units", "free")
    later = _draw(strategy.at(0.5), Grid(4, 4), 1)
    assert later is not None and later == _draw(strategy, Grid(4, 4), 1, progress=0.5)
    with pytest.raises(dataclasses.FrozenInstanceError):
        strategy.ratio = 0.1


@pytest.mark.parametrize("name", [name for name in NAMES if not MASKS.get(name).flat])
def test_one_frame_is_as_none(name):
    strategy = MASKS.get(name)()
    for rows, cols in ((6, 5), (1, 9)):
        maps = _maps(strategy, Grid(rows, cols), 20)
        framed = {recipe: scores[:, None] for recipe, scores in maps.items()}
        one = strategy.sample(Grid(rows, cols, frames=1), 20, seed=3, maps=framed)
        none = strategy.sample(Grid(rows, cols), 20, seed=3, maps=maps)
        assert np.array_equal(one.hidden[:, 0], none.hidden)


@pytest.mark.parametrize("name", NAMES)
def test_frames_and_domain_have_known_meanings(name):
    strategy = MASKS.get(name)
    assert strategy.frames in ("", "time", "view", "modality", "band")
    assert strategy.domain in ("", "frequency")
    assert not (strategy.flat and strategy.frames)


def _any_ratio(name: str) -> bool:
    """`uniform` has a ratio to name it and refuses all others."""
    member = MASKS.get(name)
    return name != "uniform" and any(knob.name == "ratio" for knob in knobs(member))


WITH_RATIO = [name for name in NAMES if _any_ratio(name)]


@given(
    name=st.sampled_from(WITH_RATIO),
    rows=st.integers(1, 20),
    cols=st.integers(1, 20),
    percent=st.integers(0, 100),
    seed=st.integers(0, 1 << 62),
)
def test_any_grid_and_ratio(name, rows, cols, percent, seed):
    strategy, grid = MASKS.get(name)(ratio=percent / 100), Grid(rows, cols)
    mask = _draw(strategy, grid, 3, seed=seed, first=7)
    assert mask is not None
    if strategy.promise == "exact":
        assert set(mask.counts.tolist()) == {(2 * percent * grid.size + 100) // 200}
    assert _draw(strategy, grid, 1, seed=seed, first=8) == mask[1]


@pytest.mark.parametrize(
    ("kwargs", "sentence"),
    [
        ({"grid": (14, 14)}, r"grid is \(14, 14\), but must be a Grid; take Grid\(14, 14\)"),
        ({"count": 0}, "count is 0, but must be a whole number from 1"),
        ({"count": 2.5}, "count is 2.5"),
        ({"count": 10**12}, "count is 1000000000000"),
        ({"count": 10**8}, "ask for at most 5478274 at once"),
        ({"seed": -1}, "seed is -1, but must be a whole number from 0"),
        ({"step": "a"}, "step is 'a'"),
        ({"first": None}, "first is None"),
        ({"progress": float("nan")}, "progress is nan, but must be from 0 to 1"),
        ({"maps": np.zeros((1, 14, 14))}, "random does not look at score maps; leave maps out"),
    ],
)
def test_a_bad_call_is_refused_in_a_sentence(kwargs, sentence):
    with pytest.raises(BadInput, match=sentence):
        MASKS.parse("random").sample(**{"grid": Grid(14, 14), **kwargs})


def test_a_schedule_changes_the_strategy_and_maps_reach_it():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Late(MASKS.get("random")):
        needs_maps = True
        needs = ("edges()",)

        def at(self, progress):
            return dataclasses.replace(self, ratio=progress)

        def draw(self, grid, noise, maps):
            assert maps["edges()"].shape == (noise.count, *grid.shape)
            return super().draw(grid, noise, maps) & (maps["edges()"] > 0)

    maps = np.ones((3, 4, 4))
    maps[1] = 0
    late = Late().sample(Grid(4, 4), 3, progress=0.5, maps=maps)
    assert late.counts.tolist() == [8, 0, 8]
    assert Late().sample(Grid(4, 4), 3, progress=0.5, maps={"edges()": maps}) == late
    with pytest.raises(BadInput, match=r"needs the score map edges\(\), but none was given"):
        Late().sample(Grid(4, 4))
    with pytest.raises(BadInput, match=r"the map edges\(\) has the shape \(3, 4, 4\), but must"):
        Late().sample(Grid(4, 4), 2, maps=maps)


def test_a_wrong_shape_is_an_authors_mistake():
    class Wrong(MASKS.get("random")):
        def draw(self, grid, noise, maps):
            return np.zeros((1, 2, 2), bool)

    with pytest.raises(TypeError, match=r"draw returned bool \(1, 2, 2\)"):
        Wrong().sample(Grid(3, 3))
