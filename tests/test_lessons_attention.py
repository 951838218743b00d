"""What the lesson on attention shows and claims, against softmax rows and closed forms."""

import io
import math

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from workbench.errors import BadInput
from workbench.lessons.attention import (
    TOP,
    agreement,
    cut,
    drawn,
    errors,
    head_grid,
    images_of,
    largest_gap,
    maps_of,
    marked,
    model,
    orders,
    show_deletion,
    show_heads,
    show_measures,
    show_rollout,
    show_steadiness,
    weights,
)
from workbench.lessons.looking import Looking
from workbench.scenes import SceneSpec, compose

MASK = "random(ratio=0.75)"


def test_rows_are_shares_and_hidden_patches_have_none():
    whole, rest = weights(maps_of("astronaut"), None), weights(maps_of("astronaut", MASK), None)
    assert whole.shape == rest.shape == (12, 3, 12, 12)
    assert np.all(whole.sum((2, 3)) < 1 + 1e-6) and np.isfinite(whole).all()
    hidden = drawn(MASK).hidden[0]
    assert np.isnan(rest[:, :, hidden]).all() and np.isfinite(rest[:, :, ~hidden]).all()
    assert np.all(np.nansum(rest, (2, 3)) < 1 + 1e-6) and (~hidden).sum() == 36


def test_maps_are_painted_on_one_scale_or_on_their_own():
    said = np.zeros((2, 3, 4, 4))
    said[0, 0, 1, 1], said[1, 2, 3, 3] = TOP, TOP / 2
    said[0, 1, 0, 0] = np.nan
    fixed, own = (np.asarray(head_grid(said, each)).astype(int) for each in (False, True))
    bright = fixed.sum(2)
    assert fixed.shape == own.shape
    last = np.s_[20 + 2 * 40 : 20 + 2 * 40 + 36, 52 + 40 : 52 + 40 + 36]
    tops = [each.max() for each in (bright[20:56, 52:88], bright[last])]
    assert tops[0] > 690 > 500 > tops[1], "half of the scale is not the brightest"
    assert own[last].sum(2).max() > 690
    assert (fixed == 128).all(2).any(), "what has no token is grey"


def test_who_asks_is_framed_and_hidden_patches_cannot_ask():
    hidden = drawn(MASK).hidden[0]
    gone, there = (int(np.flatnonzero(each)[0]) for each in (hidden.ravel(), ~hidden.ravel()))
    assert "12 layers of 3 heads" in repr(show_heads("astronaut", there, MASK))
    with pytest.raises(BadInput, match=f"patch {gone} is hidden"):
        show_heads("astronaut", gone, MASK)
    sheet = show_heads("astronaut", gone, MASK, decoder=True)
    assert "4 layers of 4 heads" in repr(sheet)
    assert Image.open(io.BytesIO(sheet._repr_png_())).width <= 900
    seen = marked(cut("astronaut"), 40)
    assert (seen[3 * 18 + 6 : 3 * 18 + 12, 4 * 18 - 1] == (255, 212, 0)).all()


def test_measures_of_heads_are_those_of_their_maps():
    rows = show_measures("astronaut").rows
    first = maps_of("astronaut").map(0)[0].numpy().astype(float)
    evenness = -(first * np.log(first)).sum(-1).mean(-1) / math.log(145)
    assert rows[0][1] == " ".join(f"{each:.2f}" for each in evenness)
    assert len(rows) == 12 and evenness.min() > 0.85 > 0.6 > max(map(float, rows[3][1].split()))


def test_agreement_is_the_correlation_of_rows():
    one, other = np.random.default_rng(0).random((2, 3, 5, 5))
    wanted = [np.corrcoef(a, b)[0, 1] for a, b in
              zip(one.reshape(-1, 5), other.reshape(-1, 5), strict=True)]  # fmt: skip
    assert agreement(one, other) == pytest.approx(np.mean(wanted))
    assert agreement(one, 0.2 * one + 1) == pytest.approx(1)


def test_the_claims_of_the_lesson():
    """Maps stay when most is hidden, dropping equals hiding keys, stand-ins look near."""
    chart = show_steadiness("astronaut", (0.25, 0.75))
    assert min(chart.lines["75% hidden"][1]) > 0.8
    assert np.mean(chart.lines["25% hidden"][1]) > np.mean(chart.lines["75% hidden"][1])
    assert largest_gap("astronaut", MASK) < 1e-5
    found = maps_of("astronaut", MASK, decoder=True)
    place = np.stack(np.divmod(np.arange(144), 12), 1) * 12.0
    far = np.linalg.norm(place[:, None] - place[None], axis=-1)
    stand_ins = np.flatnonzero(drawn(MASK).hidden[0].ravel())
    heads = np.stack([found.map(at)[0, :, 1:, 1:].numpy() for at in found.layers])[:, :, stand_ins]
    reach = (heads * far[stand_ins]).sum(-1) / heads.sum(-1)
    assert np.median(reach.mean(-1)) < 0.6 * far.mean()
    tiles = show_rollout(["chelsea"]).rows[0].tiles
    assert [name for name, _ in tiles] == ["chelsea", "last layer", "rollout"]


def test_what_is_read_matters_and_no_more_than_the_neighbours():
    rows = dict(show_deletion(["astronaut"], 0.75, 24).rows)
    rise = {name: float(cell.split()[0]) for name, cell in rows.items() if "±" in cell}
    assert rise["the 4 most looked at"] > 3 * abs(rise["the 4 any"])
    assert rise["the 4 most looked at"] > 10 * abs(rise["the 4 least looked at"])
    assert 0.5 < rise["the 4 nearest"] / rise["the 4 most looked at"] < 2


def test_errors_of_patches_are_those_of_a_scene():
    scene = compose(SceneSpec(photo="coffee", mask=MASK))
    hidden = scene.hidden.ravel()
    asked = np.flatnonzero(hidden)[:3]
    found = errors(images_of(cut("coffee")), np.repeat(hidden[None], 3, 0), asked)
    np.testing.assert_allclose(found, scene.error.ravel()[asked], rtol=0.05)
    assert model().grid.size == 144


def test_orders_put_each_cause_first():
    mask = drawn(MASK)
    seen = np.flatnonzero(~mask.hidden[0].ravel())
    asked = np.flatnonzero(mask.hidden[0].ravel())[:5]
    found = orders(images_of(cut("coffee")), mask, asked, seen, np.random.default_rng(0))
    for order in found.values():
        assert all(sorted(row) == seen.tolist() for row in order)
    np.testing.assert_array_equal(found["most looked at"], found["least looked at"][:, ::-1])
    steps = np.diff([math.dist(divmod(asked[0], 12), divmod(at, 12)) for at in found["nearest"][0]])
    assert (steps >= 0).all()


STAGE = """([script, held]) => {
  const holder = document.createElement("div");
  document.body.replaceChildren(holder);
  const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  window.fake = { held, on(names, f) { this.f = f; }, off() {}, get(name) { return held[name]; },
    set(name, value) { held[name] = value; }, save_changes() { this.saved = { ...held }; } };
  return import(url).then((it) => it.default.render({ model: window.fake, el: holder }) && 1);
}"""


@pytest.mark.parametrize("width", [380, 1280])
def test_a_click_and_a_key_ask_another_patch(page, width):
    page.set_viewport_size({"width": width, "height": 800})
    shown = Looking("astronaut", query=40, mask=MASK)
    names = ("photo", "maps", "said", "shape", "query", "own_scale")
    page.goto("about:blank")
    page.evaluate(STAGE, [str(shown._esm), {name: getattr(shown, name) for name in names}])
    photo = page.get_by_test_id("looking").get_by_role("button")
    expect(page.get_by_role("status")).to_have_text("What patch 40, row 4, column 5 reads.")
    photo.click(position={"x": 216 - 5, "y": 5})
    assert page.evaluate("window.fake.saved.query") == 11
    photo.press("ArrowRight")
    assert page.evaluate("window.fake.saved.query") == 11, "the border holds"
    photo.press("ArrowDown")
    assert page.evaluate("window.fake.saved.query") == 23
    page.get_by_role("checkbox").check()
    assert page.evaluate("window.fake.saved.own_scale") is True
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_widget_follows_in_python():
    shown = Looking("astronaut", query=40, mask=MASK)
    before = shown.maps
    gone = int(np.flatnonzero(drawn(MASK).hidden[0].ravel())[0])
    shown.query = gone
    assert "it is hidden" in shown.said and shown.maps == before
    shown.query, shown.own_scale = 40, True
    assert shown.maps != before and shown.said.startswith("What patch 40")
    with pytest.raises(BadInput, match="no patch 144"):
        shown.query = 144
    data, _ = shown._repr_mimebundle_()
    assert len(data["image/png"]) > 1000 and "Looking(astronaut, patch 40" in repr(shown)
