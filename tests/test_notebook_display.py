"""What notebooks show and how exercises judge."""

import io

import numpy as np
import pytest
from PIL import Image

from workbench.analysis.metrics import Metrics
from workbench.errors import BadInput
from workbench.masks import MASKS, Grid
from workbench.notebook import (
    Painter,
    answer_key,
    check,
    error_picture,
    reconstruct_widget,
    show,
    show_metrics,
    show_scene,
    sized,
)

GRID = Grid(4, 6, patch=12)


def pixels_of(pictures):
    return np.asarray(Image.open(io.BytesIO(pictures._repr_png_())).convert("RGB"))


def test_pictures_stand_side_by_side_with_captions_and_recipe():
    red, blue = np.zeros((30, 30, 3), np.uint8), np.zeros((3, 30, 30), np.float32)
    red[..., 0], blue[2] = 255, 1
    pictures = show(first_one=red, second=blue, recipe="random(ratio=0.75)", seed=4)
    assert repr(pictures) == "first one | second (random(ratio=0.75), seed 4)"
    seen = pixels_of(pictures)
    middle = seen[seen.shape[0] // 2]
    assert np.abs(middle[100].astype(int) - [255, 0, 0]).max() < 12
    assert np.abs(middle[-100].astype(int) - [0, 0, 255]).max() < 12
    assert seen[:20].min() < 120, "a caption is drawn above"


def test_a_mask_is_shown_patch_by_patch():
    mask = MASKS.parse("painted(hide='0,7')").sample(GRID)
    ((_, tile),) = show(mask=mask).tiles
    assert tile.shape == (4, 6, 3)
    dark = tile.max(2) < 100
    assert np.array_equal(dark, mask.hidden[0])


@pytest.mark.parametrize(
    "pictures", [{}, {"bad": np.zeros((2, 2, 2, 2))}, {"bad": np.array([[np.nan]])}]
)
def test_what_is_no_picture_is_refused(pictures):
    with pytest.raises(BadInput, match=r"pictures|bad"):
        show(**pictures)


def test_a_transparent_picture_is_laid_on_white():
    rgba = np.zeros((4, 4, 4), np.uint8)
    rgba[:2, :, 3] = 255
    ((_, tile),) = show(x=rgba).tiles
    assert tile[0].max() == 0
    assert tile[3].min() == 255


@pytest.mark.parametrize("right", [108, 0.75, "Block  (Ratio)", True, [1, 2.5], ("a", "b")])
def test_right_answers_pass_and_others_do_not(right):
    key = answer_key(right)
    assert check(right, key).right is True
    assert check("something else", key).right is False
    assert check(..., key).right is None


def test_answers_are_judged_by_value_not_by_type():
    assert check(np.int64(108), answer_key(108)).right
    assert check(108.0, answer_key(108)).right
    assert check(np.array([1, 2]), answer_key([1, 2])).right
    assert check("BLOCK", answer_key("block")).right
    mask = MASKS.parse("painted(hide='0-5')").sample(GRID)
    assert check(mask, answer_key(mask)).right
    assert check(~mask, answer_key(mask)).right is False
    assert check(1, answer_key(True)).right is False


def test_the_tolerance_is_one_in_the_last_digit():
    key = answer_key(0.7512, digits=2)
    assert check(0.754, key, digits=2).right
    assert check(0.744, key, digits=2).right
    assert check(0.77, key, digits=2).right is False


def test_a_verdict_folds_an_escaped_hint():
    wrong = check(1, answer_key(2), hint="<script>no</script>")
    page = wrong._repr_html_()
    assert "<details>" in page
    assert "&lt;script&gt;" in page
    assert "<script>" not in page
    assert "<details>" not in check(2, answer_key(2), hint="more")._repr_html_()


def test_an_answer_that_cannot_be_compared_is_refused():
    with pytest.raises(BadInput, match="no answer that can be checked"):
        check(object(), "0")


def test_a_table_has_units_and_counts():
    table = show_metrics([("<b>", Metrics(0.012345, 19.085, None, 1440))])
    assert table.cells() == [("<b>", "0.0123", "19.1", "–", "1440")]
    assert "&lt;b&gt;" in table._repr_html_()
    assert "hidden pixels" in repr(table)


def test_sized_follows_the_environment(monkeypatch):
    monkeypatch.delenv("WORKBENCH_TINY", raising=False)
    assert sized(1000, 5) == 1000
    monkeypatch.setenv("WORKBENCH_TINY", "1")
    assert sized(1000, 5) == 5


def edit(painter, seq, *hide):
    bits = "".join("01"[at in hide] for at in range(painter.grid.size))
    empty = "0" * painter.grid.size
    news = {"hide": bits, "show": empty, "threshold": 0.5, "strokes": [], "seq": seq}
    painter.set_state({"edit": news})


def test_the_reconstruction_follows_the_brush():
    painter = reconstruct_widget("astronaut", "random(ratio=0.5)", seed=2)
    first = painter.scene
    names = [picture["name"] for picture in painter.pictures]
    assert names == ["original", "masked", "reconstruction", "paste-back", "error"]
    edit(painter, 1, *range(24))
    assert painter.recipe.startswith('painted(hide="0-23"')
    assert painter.scene.spec.mask == painter.recipe
    assert painter.scene.hidden[:2].all()
    assert painter.scene.metrics.pixels > first.metrics.pixels
    assert f"{painter.scene.card.hidden} of 144 hidden" in painter.pictures[1]["note"]
    assert f"{painter.scene.metrics.mse:.4f}" in painter.pictures[3]["note"]


def test_a_mask_the_model_refuses_is_said_and_the_last_scene_stays():
    painter = reconstruct_widget("astronaut", "random(ratio=0.5)")
    before, pictures = painter.scene, painter.pictures
    edit(painter, 1, *range(144))
    assert "hides every patch" in painter.message
    assert painter.scene is before
    assert painter.pictures == pictures
    edit(painter, 2)
    assert painter.message == ""
    assert painter.scene.spec.mask == "random(ratio=0.5)"


def test_an_own_picture_can_be_reconstructed():
    picture = np.random.default_rng(0).integers(0, 255, (90, 200, 3), np.uint8)
    painter = reconstruct_widget(picture, "random(ratio=0.5)")
    assert np.array_equal(painter.scene.photo, painter.photo)
    assert painter.label == "your picture"


def test_the_error_picture_darkens_with_the_error_and_greys_the_visible():
    scene = reconstruct_widget("astronaut", "random(ratio=0.5)").scene
    patches = error_picture(scene)[6::12, 6::12].astype(float)
    assert patches[~scene.hidden].tolist() == [[226.0] * 3] * int((~scene.hidden).sum())
    light = patches[scene.hidden].mean(1)
    order = np.argsort(scene.error[scene.hidden])
    assert np.all(np.diff(light[order]) <= 1)
    assert show_scene(scene).footer.startswith("astronaut, random(ratio=0.5), seed 0: MSE")


def test_a_painter_with_a_model_follows_score_maps() -> None:
    picture = np.zeros((144, 144, 3), np.uint8)
    picture[72:] = np.random.default_rng(0).integers(0, 255, (72, 144, 3))
    painter = reconstruct_widget(picture, 'guided(ratio=0.25, scores="variance()")')
    assert painter.mask.hidden[0, 6:].sum() == 36 == painter.mask.counts[0]
    assert painter.scene is not None and painter.scene.maps["variance()"].shape == (1, 12, 12)
    with pytest.raises(BadInput, match="needs the score map edges"):
        Painter(picture, "guided()")
