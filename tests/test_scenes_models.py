"""The same mask through several models: what is compared, and what cannot be."""

from pathlib import Path

import numpy as np
import pytest
import torch

from workbench.errors import BadInput
from workbench.models.checkpoint import save_checkpoint
from workbench.models.mae import DecoderShape, MaskedAutoencoder
from workbench.models.transformer import ViTShape
from workbench.plots.difference import ABSOLUTE, SIGNED, difference_map
from workbench.scenes import SceneSpec, compose, forget_models
from workbench.scenes.models import beside, difference, grid_note


@pytest.fixture(autouse=True)
def fresh(workbench_home: Path):
    """Models of this home alone: names are cached across homes."""
    forget_models()
    yield
    forget_models()


def add(home: Path, name: str, rows: int, cols: int, patch: int, seed: int = 0) -> None:
    shape = ViTShape(rows=rows, cols=cols, patch=patch, dim=24, depth=1, heads=2, hidden=32)
    torch.manual_seed(seed)
    model = MaskedAutoencoder(shape, DecoderShape(dim=16, depth=1, heads=2, hidden=16))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    save_checkpoint(model, home / "models" / f"{name}.safetensors", {"norm_pix": False})


def test_every_model_gets_the_same_mask_and_equals_its_own_scene(workbench_home: Path) -> None:
    add(workbench_home, "twin", 12, 12, 12)
    spec = SceneSpec(photo="coffee", mask="block(ratio=0.4)", seed=3)
    entries = beside(spec, ["default", "twin"])
    first, second = (entry.scene for entry in entries)
    assert first is not None and second is not None
    assert first.mask == second.mask
    assert not np.array_equal(first.composite, second.composite)
    alone = compose(spec.replace(model="twin"))
    assert np.array_equal(alone.composite, second.composite)
    assert alone.metrics == second.metrics
    assert grid_note(entries) == "All see the same photo with the same hidden patches."
    assert grid_note(entries[:1]) == ""


def test_the_difference_is_the_formula(workbench_home: Path) -> None:
    add(workbench_home, "twin", 12, 12, 12)
    one, two = (entry.scene for entry in beside(SceneSpec(seed=1), ["default", "twin"]))
    assert one is not None and two is not None
    found = difference(one, two)
    delta = two.composite.astype(float) / 255 - one.composite.astype(float) / 255
    np.testing.assert_allclose(found.signed, delta.mean(2), atol=1e-6)
    np.testing.assert_allclose(found.absolute, np.abs(delta).mean(2), atol=1e-6)
    hidden = one.mask.to_pixels()[0]
    assert found.pixels == hidden.sum() == 108 * 144
    assert found.mean == pytest.approx(np.abs(delta)[hidden].mean(), abs=1e-6)
    assert found.largest == pytest.approx(np.abs(delta).mean(2)[hidden].max(), abs=1e-6)
    assert not found.signed[~hidden].any()  # both paste the same visible pixels back
    assert found.note == ""
    whole = difference(one, two, "reconstruction")
    assert whole.signed[~hidden].any()
    back = difference(two, one)
    np.testing.assert_array_equal(back.signed, -found.signed)
    assert found.closer is not None and back.closer == pytest.approx(1 - found.closer)


def test_a_picture_is_as_near_as_itself(workbench_home: Path) -> None:
    scene = compose(SceneSpec())
    same = difference(scene, scene)
    assert (same.mean, same.largest, same.closer) == (0, 0, 0.5)


def test_another_grid_draws_the_recipe_anew_and_says_so(workbench_home: Path) -> None:
    add(workbench_home, "fine", 20, 20, 8)
    entries = beside(SceneSpec(mask="random(ratio=0.5)"), ["default", "fine"])
    one, two = (entry.scene for entry in entries)
    assert one is not None and two is not None
    assert (one.card.hidden, two.card.hidden) == (72, 200)
    note = grid_note(entries)
    assert "default 12 × 12 of 12 px" in note and "fine 20 × 20 of 8 px" in note
    assert "own grid" in note
    found = difference(one, two)
    assert found.signed.shape == (160, 160)
    # nearest neighbour by hand: pixel i of 160 shows pixel floor(i * 144 / 160) of 144
    at = np.arange(160) * 144 // 160
    both = one.mask.to_pixels()[0][np.ix_(at, at)] & two.mask.to_pixels()[0]
    assert found.pixels == both.sum()
    assert "144 x 144 and 160 x 160" in found.note


def test_one_model_that_refuses_leaves_the_others(workbench_home: Path) -> None:
    add(workbench_home, "coarse", 4, 4, 12)
    spec = SceneSpec(mask='painted(hide="100-110")')
    good, bad, unknown = beside(spec, ["default", "coarse", "nowhere"])
    assert good.scene is not None and bad.scene is None and unknown.scene is None
    assert "coarse" in (bad.name,) and "15" in bad.problem
    assert "nowhere" in unknown.problem


def test_other_proportions_are_other_cuts(workbench_home: Path) -> None:
    add(workbench_home, "wide", 6, 12, 12)
    spec = SceneSpec(photo="coffee")
    one, two = (entry.scene for entry in beside(spec, ["default", "wide"]))
    assert one is not None and two is not None
    with pytest.raises(BadInput, match="144 x 144 and 144 x 72 px, other cuts"):
        difference(one, two)
    with pytest.raises(BadInput, match="must show one photo"):
        difference(one, compose(SceneSpec(photo="astronaut")))
    resized = beside(spec.replace(fit="resize"), ["default", "wide"])
    one, two = (entry.scene for entry in resized)
    assert one is not None and two is not None
    assert difference(one, two).signed.shape == (144, 144)


@pytest.mark.parametrize("names", [[], ["default", "default"], list("abcde")])
def test_the_number_of_models_is_bounded(workbench_home: Path, names: list[str]) -> None:
    with pytest.raises(BadInput, match="1 to 4 different ones"):
        beside(SceneSpec(), names)


def test_differences_have_a_colour_scale() -> None:
    values = np.array([[-1.0, -0.25, 0, 0.25, 9]])
    colours = [tuple(colour) for colour in difference_map(values)[0]]
    assert colours == [SIGNED[0], SIGNED[0], SIGNED[2], SIGNED[4], SIGNED[4]]
    colours = [tuple(colour) for colour in difference_map(abs(values), 0.5, signed=False)[0]]
    assert colours == [ABSOLUTE[4], ABSOLUTE[2], ABSOLUTE[0], ABSOLUTE[2], ABSOLUTE[4]]
