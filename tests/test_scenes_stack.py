"""A mask taken apart into layers for an editor, put together again, and masks out of files."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.test_masks_layers import LOCKS, PARTS, STACKS, stacked
from workbench.errors import BadInput
from workbench.masks import MASKS, Grid, Mask
from workbench.masks.layers import Layer
from workbench.masks.painted import Painted
from workbench.scenes import SceneSpec, compose, grid_of, import_mask, preview, stack_of, with_stack
from workbench.scenes.photos import source
from workbench.scenes.stack import (
    Stack,
    below_brush,
    fit_patches,
    hand_bits,
    is_brush,
    painted_on,
)

GRID = Grid(12, 12, patch=12)


def drawn(recipe: str, seed: int = 7) -> Mask:
    return MASKS.parse(recipe).sample(GRID, 3, seed=seed)


@given(STACKS, LOCKS)
def test_taking_a_stack_apart_changes_no_mask(parts: list[Any], lock: float | None) -> None:
    spec = SceneSpec(mask=str(stacked(parts, lock)))
    again = with_stack(spec, stack_of(spec))
    assert drawn(again.mask) == drawn(spec.mask)
    assert drawn(stack_of(spec).whole) == drawn(spec.mask)
    assert with_stack(again, stack_of(again)) == again


@given(PARTS, st.booleans(), LOCKS, st.integers(0, 90))
def test_paint_over_a_recipe_is_two_layers_and_stays_one_recipe(
    below: Any, shows: bool, lock: float | None, at: int
) -> None:
    show = f"{at}-{at + 3}" if shows else ""
    spec = SceneSpec(mask=str(Painted(hide="5-20", show=show, over=below, lock=lock)))
    stack = stack_of(spec)
    assert drawn(stack.recipe) == drawn(spec.mask)
    if len(stack.layers) == 2 and not isinstance(below, Painted):
        assert stack.recipe == spec.mask


@pytest.mark.parametrize(
    ("recipe", "names", "simple"),
    [
        ("random(ratio=0.5)", ["random"], None),
        ('painted(hide="0-3")', ["painted"], None),
        ('painted(hide="")', ["painted"], None),
        ('painted(hide="0-3", over=block(ratio=0.4))', ["block", "painted"], None),
        ('painted(hide="", over=block(ratio=0.4), lock=0.5)', ["block"], None),
        ("layers(a=random(ratio=0.5))", ["random"], "random(ratio=0.5)"),
        ("layers()", ["painted"], 'painted(hide="")'),
        (
            'layers(a=random(ratio=0.5), b=painted(hide="1"), lock=0.5)',
            ["random", "painted"],
            'painted(hide="1", over=random(ratio=0.5), lock=0.5)',
        ),
        ("layers(a=layer(random(ratio=0.5), invert=True))", ["random"], None),
        ('layers(a=painted(hide="1"), b=random(ratio=0.5))', ["painted", "random"], None),
        ('layers(a=random(ratio=0.5), b=painted(hide=""))', ["random", "painted"], None),
    ],
)
def test_the_shortest_recipe_is_kept(recipe: str, names: list[str], simple: str | None) -> None:
    stack = stack_of(SceneSpec(mask=recipe))
    assert [each.of.name for each in stack.layers] == names
    assert stack.recipe == (simple or recipe)


def test_adding_moving_and_deleting_layers_changes_no_other_layer() -> None:
    stack = stack_of(SceneSpec(mask="random(ratio=0.5)"))
    more = stack.added(MASKS.parse("random(ratio=0.5)")).added(MASKS.parse("block(ratio=0.2)"))
    assert more.recipe == ("layers(a=random(ratio=0.5), b=random(ratio=0.5), c=block(ratio=0.2))")
    assert drawn(more.moved(2, 0).recipe) == drawn(more.recipe)  # "or" does not mind the order
    assert more.moved(0, 9).layers[-1] == more.layers[0]
    alone = more.changed(1, on=False).changed(2, on=False)
    assert drawn(alone.recipe) == drawn("random(ratio=0.5)")
    assert drawn(more.without(0).recipe) != drawn(more.recipe)
    left = more.without(0)
    assert drawn(left.added(MASKS.parse("random(ratio=0.5)")).recipe) == drawn(more.recipe)
    assert more.without(2).without(0).recipe == "random(ratio=0.5)"
    full = stack
    for _ in range(7):
        full = full.added(Painted())
    with pytest.raises(BadInput, match="The mask has 8 layers, and 8 is the most; delete one"):
        full.added(Painted())


def test_the_brush_paints_on_its_layer() -> None:
    stack = Stack(tuple(Layer(MASKS.parse(each), draw=at) for at, each in enumerate(
        ["random(ratio=0.5)", 'painted(hide="0-2")', 'painted(hide="9")', "grid(ratio=0.5)"]
    )))  # fmt: skip
    assert [stack.target(at) for at in (None, 0, 1, 2, 3)] == [2, 2, 1, 2, 2]
    hide, show = "0" * 5 + "1" * 2 + "0" * 137, "1" + "0" * 143
    painted = painted_on(stack, 1, hide, show)
    assert hand_bits(painted, 1, 144) == (hide, show)
    assert painted.layers[1].of == Painted(hide="5-6", show="0")
    assert painted_on(stack_of(SceneSpec()), None, hide, show).recipe == (
        'painted(hide="5-6", show="0", over=random(ratio=0.75))'
    )
    assert painted_on(stack, None, "0" * 144, "0" * 144) == stack
    under = drawn(below_brush(stack, 2))
    hidden = drawn(stack.recipe).hidden.copy()
    assert np.array_equal(under.hidden.reshape(3, -1)[:, 10:], hidden.reshape(3, -1)[:, 10:])
    fitting, sentence = fit_patches(stack, 9)
    assert "names patch 9, but the grid has patches 0 to 8" in sentence
    assert [each.of == Painted() for each in fitting.layers if is_brush(each)] == [False, True]


def test_a_bare_stack_hides_nothing_and_the_scene_says_so() -> None:
    with pytest.raises(BadInput, match=r"hides no patch .* hide from 1 to 143"):
        compose(SceneSpec(mask="layers()"))


# --- masks out of files -------------------------------------------------------------------------


def annotated(width: int, height: int) -> bytes:
    """LabelMe's file of the left half of a picture."""
    points = [[0, 0], [width / 2, height]]
    shape = {"label": "left", "shape_type": "rectangle", "points": points}
    sides = {"imageHeight": height, "imageWidth": width, "imagePath": "a.jpg"}
    return json.dumps({"version": "5.4.1", "shapes": [shape], **sides}).encode()


def test_a_file_becomes_painted_patches(tmp_path: Path) -> None:
    spec = SceneSpec(photo="coffee", mask="block(ratio=0.4)", seed=3)
    wanted = preview(spec).mask
    for name in ("m.npz", "m.png", "m.json", "m.rle.json"):
        found = import_mask(spec, name, wanted.save(tmp_path / name).read_bytes())
        assert preview(spec.replace(mask=found.recipe)).mask == wanted
        assert found.notes == (f"{wanted.counts[0]} of 144 patches hidden by the file.",)
    two = Mask.stack([wanted, ~wanted]).save(tmp_path / "two.npz")
    assert "2 masks; the first one is used" in import_mask(spec, "2.npz", two.read_bytes()).notes[0]


def test_what_has_the_photo_s_shape_is_cut_as_the_photo_is() -> None:
    spec = SceneSpec(photo="coffee")
    tall, wide = source("coffee").shape[:2]
    assert wide > tall
    left = np.arange(144).reshape(12, 12) % 12 < 6
    for fit in ("crop", "letterbox", "resize"):
        found = import_mask(spec.replace(fit=fit), "a.json", annotated(wide, tall))
        mask = MASKS.parse(found.recipe).sample(grid_of(spec)).hidden[0]
        bars = ~mask.any(axis=1)
        assert bars.any() == (fit == "letterbox")
        assert np.array_equal(mask[~bars], left[~bars])
    plane = np.full((tall, wide), 255, np.uint8)
    plane[:, : wide // 2] = 0
    buffer = io.BytesIO()
    Image.fromarray(plane).save(buffer, "PNG")
    found = import_mask(spec, "a.png", buffer.getvalue())
    assert np.array_equal(MASKS.parse(found.recipe).sample(grid_of(spec)).hidden[0], left)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.json", annotated(100, 400), "drawn on a picture of 100 x 400, but the photo has 600 x"),
        ("a.xml", b"<annotations><image", "'a.xml': it is no whole XML"),
        ("a.xml", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a/>", "'a.xml': it declares a document type"),
        ("a.npz", b"PK", "'a.npz' is no whole .npz mask file"),
        ("a.txt", b"", "'a.txt' has no known ending; masks are .npz, .png"),
        ("../../etc/passwd", b"", "has no known ending"),
        ("a.json", b"[]", "'a.json': it holds no mask"),
        ("a.json", b" " * (16 * 2**20 + 1), "has 16777217 bytes, at most 16777216 are taken"),
    ],
)  # fmt: skip
def test_a_file_that_does_not_fit_is_refused(name: str, content: bytes, sentence: str) -> None:
    with pytest.raises(BadInput) as caught:
        import_mask(SceneSpec(photo="coffee"), name, content)
    assert sentence in str(caught.value)


def test_a_mask_of_another_grid_is_refused(tmp_path: Path) -> None:
    path = MASKS.parse("random()").sample(Grid(14, 14)).save(tmp_path / "m.npz")
    with pytest.raises(BadInput, match=r"masks on the grid \(14, 14\), but \(12, 12\) is wanted"):
        import_mask(SceneSpec(), "m.npz", path.read_bytes())


def test_the_picture_of_the_photo_s_shape_is_taken_from_an_export() -> None:
    tall, wide = source("coffee").shape[:2]
    box = '<box label="a" xtl="0" ytl="0" xbr="{0}" ybr="{1}"/>'
    images = "".join(
        f'<image name="{name}" width="{w}" height="{h}">{box.format(w, h / 2)}</image>'
        for name, w, h in (("other.jpg", 50, 90), ("coffee.jpg", wide, tall))
    )
    found = import_mask(
        SceneSpec(photo="coffee"), "a.xml", f"<annotations>{images}</annotations>".encode()
    )
    assert found.recipe == 'painted(hide="0-71")'
    assert found.notes[0] == "The file holds 2 pictures; coffee.jpg is used."
