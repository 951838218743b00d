"""What the lessons on hiding inside and on judging maps show and claim."""

import numpy as np
import pytest
import torch
from playwright.sync_api import expect

from workbench.data.sets import DATASETS
from workbench.errors import BadInput
from workbench.evaluations.classifying import said_right, small_classifier
from workbench.explain import Attribution
from workbench.interventions.repainting import repaint
from workbench.lessons import judged, missing
from workbench.lessons.attention import cut, drawn, images_of, model
from workbench.lessons.hiding import heads, off, rise, show_blocks, show_skipping, try_inside
from workbench.masks import Mask
from workbench.models import load_network

MASK = "random(ratio=0.75)"


def test_repainting_with_nothing_off_is_the_reconstruction():
    images = np.concatenate([images_of(cut(name)) for name in ("coffee", "rocket")])
    mask = drawn(MASK)
    painted, error = repaint(model(), images, mask)
    said = model()(images, mask)
    np.testing.assert_allclose(painted, said.composite.numpy(), atol=1e-5)
    wanted = np.where(mask.hidden, said.error.numpy(), 0)
    np.testing.assert_allclose(error, wanted, atol=1e-5)
    changed, _ = repaint(model(), images, mask, "skip_blocks(layers=[0])")
    assert np.abs(changed - painted).max() > 0.1
    again, _ = repaint(model(), images, mask)
    np.testing.assert_array_equal(again, painted)


def test_what_cannot_be_repainted_is_refused():
    images, grid = images_of(cut("coffee")), model().grid
    with pytest.raises(BadInput, match="hide 144 to 144 of 144"):
        repaint(model(), images, Mask(np.ones((1, 12, 12), bool), grid))
    with pytest.raises(BadInput, match="no decoder"):
        repaint(load_network("timm:vit_tiny_patch16_224", size=(32, 32)), images, drawn(MASK))


def test_recipes_of_parts_and_of_many_heads():
    assert heads([0, 2, 35]) == "heads_off(layer=0, heads=[0, 2]) ; heads_off(layer=11, heads=[2])"
    every = " ; ".join(off(at, "all heads") for at in range(12))
    assert rise(["coffee"], heads(range(36))) == pytest.approx(rise(["coffee"], every))


def test_the_first_block_matters_and_the_last_ones_hardly():
    lines = show_blocks(["coffee"]).lines
    for _, rises in lines.values():
        assert rises[0] > 1.1 > max(rises[3:]) and rises[0] == max(rises)
    rows = show_skipping(["coffee"], (2,)).rows
    assert rows[0][:2] == ("6", "0 2 4 7 9 11")


@pytest.fixture(scope="module")
def networks():
    return {kind: missing.train(kind, 24, 16) for kind in missing.KINDS}


def test_small_networks_learn_and_are_the_same_again(networks):
    images, labels = missing.crops(120, 1)
    assert said_right(networks["convnet"], images, labels) > 0.5
    data = missing.crops(40, 0)
    pair = [small_classifier("vit", *data, missing.NAMES, steps=2, batch=4) for _ in range(2)]
    for one, other in zip(*(each.module.parameters() for each in pair), strict=True):
        assert torch.equal(one, other)
    with pytest.raises(BadInput, match="kind is"):
        small_classifier("mlp", *data, missing.NAMES)  # pyright: ignore[reportArgumentType]


def test_hidden_is_hidden_and_paint_pulls(networks):
    rows = {name.split(",")[0]: row for name, *row in missing.largest_changes(networks).rows}
    assert all(float(plain) > 0.1 and float(inside) < 1e-5 for plain, inside in rows.values())
    found = missing.measured(networks["convnet"], (0, 0.75), 60)
    share = {each.operator.partition("(")[0]: each for each in found if each.share}
    entropy = {name: each.summary()["class_entropy"] for name, each in share.items()}
    assert entropy["black"] < entropy["layer_mask"]


def test_maps_are_weighed_where_they_lie():
    extra = judged.pictures(False).extra
    on = Attribution(extra["signal"][3].astype(np.float32), 1, "1", 0.5, "", "", 0)
    assert judged.shares(on, 3) == (1.0, 0.0)
    even = Attribution(np.full((8, 8), -1, np.float32), 1, "1", 0.5, "", "", 0)
    assert judged.shares(even, 3) == (0.25, 0.25)
    network = judged.train(4, 8)
    rows = judged.show_mass(network, [("random", "black"), ("centre", "black")], 3).rows
    assert rows[1][1] == rows[1][2], "the centre cannot tell the blocks apart"
    last = judged.show_randomised(network, [("saliency", "black")], (1, 31), 0).rows[-1]
    assert last == ("the picture", "1.00", "1.00")


def test_block_digits_say_where_the_digit_is():
    data = DATASETS.parse("block_digits()").load(16)
    digits = DATASETS.parse("digits()").load(8)
    signal, null = data.extra["signal"], data.extra["null"]
    np.testing.assert_array_equal(data.images[signal].reshape(-1, 8, 8, 3), digits.images)
    blocks = data.images[null].reshape(-1, 8, 8, 3)
    assert (blocks == blocks[0]).all() and blocks[0].any()
    assert not data.images[~(signal | null)].any() and not (signal & null).any()
    assert 0.45 < signal[:, 0].any(1).mean() < 0.55
    np.testing.assert_array_equal(data.labels, digits.labels)
    bare = DATASETS.parse("block_digits(null=False)").load(16, train=False)
    assert not bare.images[bare.extra["null"]].any()
    for recipe, size in (("block_digits()", 15), ("block_digits(of='photos()')", 16)):
        with pytest.raises(BadInput, match=r"two blocks|wanted small labelled"):
            DATASETS.parse(recipe).load(size)


STAGE = """([script, held]) => {
  const holder = document.createElement("div");
  document.body.replaceChildren(holder);
  const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  window.fake = { held, on(names, f) { this.f = f; }, off() {}, get(name) { return held[name]; },
    set(name, value) { held[name] = value; },
    save_changes() { this.saved = { ...held }; this.f(); } };
  return import(url).then((it) => it.default.render({ model: window.fake, el: holder }) && 1);
}"""


def test_the_widget_follows_here_and_in_a_browser(page):
    shown = try_inside("coffee")
    assert shown.said.startswith("Layer 0, all heads switched off") and "times that" in shown.said
    before = shown.picture
    shown.at = [0, 6]
    assert "the block switched off" in shown.said and shown.picture != before
    with pytest.raises(BadInput, match="one number below each"):
        shown.at = [12, 0]
    data, _ = shown._repr_mimebundle_()
    assert len(data["image/png"]) > 1000 and repr(shown).startswith("Trying(Layer 0")
    page.set_viewport_size({"width": 380, "height": 800})
    page.goto("about:blank")
    names = ("knobs", "at", "picture", "said")
    page.evaluate(STAGE, [str(shown._esm), {name: getattr(shown, name) for name in names}])
    expect(page.get_by_role("status")).to_contain_text("the block switched off")
    page.get_by_role("slider").press("ArrowRight")
    expect(page.get_by_text("layer: 1")).to_be_visible()
    page.get_by_label("switch off").select_option("head 2")
    assert page.evaluate("window.fake.saved.at") == [1, 3]
    assert page.evaluate("document.documentElement.scrollWidth") <= 380
