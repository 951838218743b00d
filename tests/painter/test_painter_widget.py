"""The notebook widget's Python side: recipes in and out, and what stands there without a kernel."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from workbench.errors import BadInput
from workbench.masks import MASKS, Grid
from workbench.painter.widget import Painter, ranges


def from_browser(painter, **edit):
    """What the kernel does when the page sends an edit."""
    blank = {"hide": "0" * painter.grid.size, "show": "0" * painter.grid.size, "seq": 5}
    painter.set_state({"edit": {**blank, "threshold": 0.5, "strokes": [], **edit}})


def bits(size, *patches):
    return "".join("01"[at in patches] for at in range(size))


@pytest.fixture
def painter():
    return Painter("astronaut", "random(ratio=0.5)", grid=(6, 8), seed=3)


def test_it_starts_with_the_strategys_mask(painter):
    drawn = MASKS.parse("random(ratio=0.5)").sample(Grid(6, 8, patch=12), seed=3)
    assert painter.mask == drawn
    assert painter.base == drawn.to_bits()
    assert painter.photo.shape == (72, 96, 3)
    assert painter.image.startswith("data:image/jpeg;base64,")
    assert repr(painter) == "Painter(random(ratio=0.5), seed 3: 24 of 48 patches hidden)"


def test_an_edit_becomes_one_recipe_that_makes_the_seen_mask(painter):
    heard = []
    painter.observe(lambda change: heard.append(change.new), "recipe")
    from_browser(painter, hide=bits(48, 0, 1, 2, 9), show=bits(48, 47))
    assert painter.recipe == 'painted(hide="0-2,9", show="47", over=random(ratio=0.5))'
    assert heard == [painter.recipe]
    base = np.array(list(painter.base), int).astype(bool)
    base[[0, 1, 2, 9]], base[47] = True, False
    assert np.array_equal(painter.mask.hidden.reshape(-1), base)
    assert painter.settled == {"seq": 5, "hidden": painter.mask.to_bits()}
    from_browser(painter, seq=6)
    assert painter.recipe == "random(ratio=0.5)"


def test_a_lock_stays_and_the_settled_count_is_exact():
    painter = Painter("chelsea", "painted(hide='', over=random(ratio=0.5), lock=0.75)", grid=(6, 8))
    from_browser(painter, hide=bits(48, *range(10)))
    assert painter.mask.counts[0] == 36
    assert painter.settled["hidden"].count("1") == 36
    assert "lock=0.75" in painter.recipe


def test_a_recipe_set_in_python_goes_to_the_page_with_a_higher_seq(painter):
    from_browser(painter, hide=bits(48, 4))
    painter.recipe = "painted(hide='5,7', show='6', over=grid())"
    assert painter.edit["seq"] == 6
    assert painter.edit["hide"] == bits(48, 5, 7)
    assert painter.edit["show"] == bits(48, 6)
    assert painter.base == MASKS.parse("grid()").sample(painter.grid, seed=3).to_bits()
    assert painter.settled["seq"] == 6


@pytest.mark.parametrize(
    "edit", [{"hide": "1"}, {"hide": None}, {"show": "2" * 48}, {"hide": ["1"] * 48}]
)
def test_a_malformed_edit_is_passed_over(painter, edit):
    before = painter.recipe
    from_browser(painter, **edit)
    assert painter.recipe == before


@pytest.mark.parametrize("recipe", ["blok(ratio=0.5)", "painted(hide='48')", "open('x')"])
def test_a_bad_recipe_is_refused_and_nothing_changes(painter, recipe):
    before = painter.recipe, painter.edit
    with pytest.raises(BadInput):
        painter.recipe = recipe
    assert (painter.recipe, painter.edit) == before


def test_pictures_come_by_name_path_or_array(tmp_path):
    grey = np.linspace(0, 1, 100 * 100).reshape(100, 100)
    path = tmp_path / "grey.png"
    Image.fromarray((grey * 255 + 0.5).astype(np.uint8)).save(path)
    by_path, by_array = Painter(path), Painter(grey)
    assert by_path.photo.shape == by_array.photo.shape == (144, 144, 3)
    assert np.array_equal(by_path.photo, by_array.photo)


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (np.zeros((4, 4, 7)), "array .4, 4, 7."),
        (np.full((20, 20), np.nan), "nan"),
        (np.full((20, 20, 3), 200.0), "200.0"),
        ("no-such-photo", "no-such-photo"),
    ],
)
def test_pictures_that_cannot_be_used(picture, words):
    with pytest.raises(BadInput, match=words):
        Painter(picture)


def test_a_static_picture_stands_behind_the_widget(painter):
    data, _ = painter._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    png = base64.b64decode(data["image/png"])
    assert len(png) < 60_000
    picture = np.asarray(Image.open(io.BytesIO(png)).convert("L")).astype(float)
    rows, cols = painter.grid.shape
    high, wide = picture.shape[0] // rows, picture.shape[1] // cols
    light = picture[: high * rows, : wide * cols].reshape(rows, high, cols, wide).mean((1, 3))
    photo = painter.photo.mean(2).reshape(rows, 12, cols, 12).mean((1, 3))
    hidden = painter.mask.hidden[0]
    assert np.all(light[hidden] < 80)
    assert np.allclose(light[~hidden], photo[~hidden], atol=12)


@pytest.mark.parametrize(
    ("patches", "text"), [([], ""), ([0], "0"), ([0, 1], "0-1"), ([1, 3, 4, 5, 11], "1,3-5,11")]
)
def test_ranges(patches, text):
    cells = np.isin(np.arange(12), patches)
    assert ranges(cells) == text
