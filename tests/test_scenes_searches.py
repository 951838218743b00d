"""Searches on a small model: better than chance, equal to brute force, repeatable, cancellable."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from workbench.errors import BadInput
from workbench.masks import MASKS
from workbench.models.checkpoint import save_checkpoint
from workbench.models.mae import DecoderShape, MaskedAutoencoder
from workbench.models.transformer import ViTShape
from workbench.scenes import SceneSpec, activity, compose, forget_models
from workbench.scenes.batches import Subject, errors
from workbench.scenes.searches import SEARCHES, Progress, watched

PIXELS = 24 * 36


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SceneSpec]:
    """A photo before a small untrained model with a grid of 4 x 6."""
    shape = ViTShape(rows=4, cols=6, patch=6, dim=32, depth=2, heads=2, hidden=48)
    model = MaskedAutoencoder(shape, DecoderShape(dim=16, depth=2, heads=2, hidden=24))
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn(p.shape, generator=generator) * 0.3)
    path = tmp_path_factory.mktemp("models") / "small.safetensors"
    save_checkpoint(model, path, {"norm_pix": False})
    yield SceneSpec(photo="coffee", model=str(path), precision="fp32")
    forget_models()


def done(spec: SceneSpec, recipe: str) -> Progress:
    *_, last = watched(spec, SEARCHES.parse(recipe))
    assert last.finished
    return last


def error(spec: SceneSpec, hidden: np.ndarray) -> float:
    """The error of one mask, asked for by itself."""
    bits = "".join("01"[int(cell)] for cell in hidden.ravel())
    found = compose(spec.replace(mask=painted(bits))).metrics.mse
    assert found is not None
    return found


def painted(bits: str) -> str:
    return f'painted(hide="{",".join(str(at) for at, bit in enumerate(bits) if bit == "1")}")'


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_worst_mask_beats_as_many_random_ones(spec: SceneSpec, seed: int) -> None:
    found = done(spec, f"worst_mask(ratio=0.5, evaluations=300, seed={seed})")
    masks = MASKS.parse("random(ratio=0.5)").sample(compose(spec).grid, count=300, seed=seed)
    assert found.state.error > errors(spec, masks).max()
    assert found.state.evaluations == 300
    assert found.state.hidden.sum() == 12
    scene = compose(found.spec)  # what the first view shows
    assert (scene.hidden == found.state.hidden).all()
    assert scene.error[scene.hidden].mean() == pytest.approx(found.state.error, abs=1e-6)
    assert scene.metrics.mse == pytest.approx(found.state.error, rel=1e-3)  # of bytes


def test_progress_only_improves(spec: SceneSpec) -> None:
    steps = list(watched(spec, SEARCHES.parse("worst_mask(evaluations=200, children=7)")))
    values = [step.state.value for step in steps]
    assert values == sorted(values)
    assert [step.state.evaluations for step in steps][-1] == 200
    assert all(step.state.planned == 200 for step in steps)
    assert steps[-1].remaining == 0 < steps[-1].rate
    assert [step.finished for step in steps] == [False] * (len(steps) - 1) + [True]
    places = [place for place, _ in steps[-1].history]
    assert places == sorted(set(places))


def test_greedy_s_first_step_is_brute_force(spec: SceneSpec) -> None:
    greedy = SEARCHES.parse("smallest_visible_set(aim=60)")
    first = [step for step in watched(spec, greedy) if step.state.evaluations <= 24]
    found = first[-1].state
    all_of_them = []
    for patch in range(24):
        hidden = np.ones(24, bool)
        hidden[patch] = False
        all_of_them.append(error(spec, hidden) * 23 / 24)
    (shown,) = np.flatnonzero(~found.hidden)
    assert all_of_them[shown] == pytest.approx(min(all_of_them), abs=2e-6)
    assert found.value == pytest.approx(-10 * math.log10(min(all_of_them)), abs=0.01)


@pytest.mark.parametrize("pixels", ["whole", "hidden"])
def test_the_smallest_set_reaches_its_aim_and_cannot_lose_a_patch(
    spec: SceneSpec, pixels: str
) -> None:
    aim = {"whole": 18.0, "hidden": 11.0}[pixels]

    def psnr(hidden: np.ndarray) -> float:
        share = hidden.mean() if pixels == "whole" else 1.0
        return -10 * math.log10(error(spec, hidden) * share)

    found = done(spec, f'smallest_visible_set(aim={aim}, pixels="{pixels}")')
    assert found.state.reached
    assert psnr(found.state.hidden) == pytest.approx(found.state.value, abs=0.01)
    assert found.state.value >= aim
    for patch in np.flatnonzero(~found.state.hidden):
        fewer = found.state.hidden.copy()
        fewer.flat[patch] = True
        if not fewer.all():
            assert psnr(fewer) < aim + 0.01


def test_an_aim_that_cannot_be_met_ends_without_it(spec: SceneSpec) -> None:
    found = done(spec, 'smallest_visible_set(aim=80, pixels="hidden", share=0.3)')
    assert found.state.reached is False
    assert (~found.state.hidden).sum() == 23


@pytest.mark.parametrize(
    "recipe",
    ["worst_mask(ratio=0.6, evaluations=150, seed=4)", "smallest_visible_set(aim=16, share=0.5)"],
)
def test_the_same_recipe_finds_the_same_to_the_bit(spec: SceneSpec, recipe: str) -> None:
    one, other = done(spec, recipe), done(spec, str(SEARCHES.parse(recipe)))
    assert one.spec == other.spec
    assert one.history == other.history
    assert one.state.error == other.state.error


@pytest.mark.parametrize(
    "recipe", ["worst_mask(ratio=0.6, evaluations=100)", "smallest_visible_set(aim=16)"]
)
def test_the_size_of_a_call_changes_nothing(
    spec: SceneSpec, recipe: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = done(spec, recipe)
    monkeypatch.setattr(Subject, "batch", 5)
    other = done(spec, recipe)
    assert one.spec == other.spec
    assert one.history == other.history
    assert one.state == replace(other.state, hidden=one.state.hidden)


def test_a_search_that_is_closed_asks_nothing_more(spec: SceneSpec) -> None:
    steps = watched(spec, SEARCHES.parse("worst_mask(evaluations=100000)"))
    for _ in range(3):
        next(steps)
    calls = activity.calls
    steps.close()  # pyright: ignore[reportAttributeAccessIssue]
    assert next(steps, None) is None
    assert (activity.calls, activity.running) == (calls, 0)


def test_a_photo_that_is_given_takes_the_place_of_the_named_one(spec: SceneSpec) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (48, 72, 3), np.uint8)
    recipe = SEARCHES.parse("worst_mask(ratio=0.5, evaluations=60)")
    *_, found = watched(spec, recipe, pixels)
    scene = compose(found.spec, pixels)
    assert scene.error[scene.hidden].mean() == pytest.approx(found.state.error, abs=1e-6)


def test_bad_settings_are_refused_in_a_sentence(spec: SceneSpec) -> None:
    with pytest.raises(BadInput, match="some must be hidden"):
        next(watched(spec, SEARCHES.parse("worst_mask(ratio=0.0)")))
    with pytest.raises(BadInput, match="evaluations"):
        SEARCHES.parse("worst_mask(evaluations=0)")
    with pytest.raises(BadInput, match="whole"):
        SEARCHES.parse('smallest_visible_set(pixels="half")')
