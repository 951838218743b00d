"""Layers in a real browser: stacked, painted, moved by keys, locked, linked, saved, read back."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect

from tests.browser.visitor import LAPTOP, PHONE, Line, clipboard, drawn, knob, paint
from workbench import cli
from workbench.masks import MASKS, Mask
from workbench.notebook import Painter
from workbench.scenes import SceneSpec, preview


def mask_of(mark: str) -> str:
    """The mask's recipe in a scene's mark."""
    found = re.search(r"mask='((?:[^'\\]|\\.)*)'", mark)
    assert found is not None
    return found[1]


def add(page: Page, what: str) -> None:
    page.locator(f"[data-add={what}]").click()


def layer(page: Page, at: int) -> str:
    return f'[data-layer="{at}"]'


def test_layers_and_brush_are_saved_in_every_format_and_read_back(
    visit: Callable[..., Page], tmp_path: Path
) -> None:
    page = visit("?mask=random(ratio=0.4)&seed=5")
    drawn(page)
    expect(page.locator("[data-layer]")).to_have_count(0)
    add(page, "strategy")
    drawn(page, "layers(a=random(ratio=0.4), b=random(ratio=0.3))")
    page.locator(f"{layer(page, 1)} select").select_option("minus")
    drawn(page, 'b=layer(random(ratio=0.3), op="minus")')
    knob(page, "ratio", "number").fill("0.5")
    knob(page, "ratio", "number").press("Enter")
    drawn(page, "b=layer(random(ratio=0.5)")
    add(page, "brush")
    drawn(page, 'c=painted(hide="")')
    paint(page, (0.1, 0.1), (0.9, 0.15))
    drawn(page, 'c=painted(hide="1')
    knob(page, "lock", "checkbox").check()
    knob(page, "lock").fill("0.6")
    mark = drawn(page, "lock=0.6")
    recipe = mask_of(mark)
    expect(page.locator(".mask-card")).to_contain_text("86 of 144 patches")

    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("status").filter(has_text="link is copied")).to_be_visible()
    other = visit(clipboard(page).split("/", 3)[3])
    assert drawn(other, "lock=0.6") == mark
    expect(other.locator("[data-layer]")).to_have_count(3)

    wanted = preview(SceneSpec(mask=recipe, seed=5)).mask
    assert wanted.counts.tolist() == [86]
    assert Painter(mask=recipe, grid=wanted.grid, seed=5).mask == wanted
    for name in ("mask.npz", "mask.png", "mask.rle.json", "mask.json"):
        with page.expect_download() as download:
            page.locator(f'[data-file="{name}"]').click()
        path = tmp_path / name
        download.value.save_as(path)
        assert Mask.load(path) == wanted
        out = tmp_path / f"again-{name}"
        words = [
            "masks",
            "import",
            str(path),
            "--grid",
            "12x12",
            "--patch",
            "12",
            "--out",
            str(out),
        ]
        assert cli.run(words) == 0
        assert Mask.load(out) == wanted
    words = ["draw", recipe, "--grid", "12x12", "--patch", "12", "--seed", "5"]
    assert cli.run([*words, "--out", str(tmp_path / "drawn.npz")]) == 0
    assert Mask.load(tmp_path / "drawn.npz") == wanted


def test_a_stack_is_worked_on_by_keyboard_on_a_phone(visit: Callable[..., Page]) -> None:
    page = visit("?mask=random(ratio=0.5)", viewport=PHONE)
    drawn(page)
    page.locator("[data-add=brush]").focus()
    page.keyboard.press("Enter")
    expect(page.locator("[data-layer]")).to_have_count(2)
    page.locator(".pp-mask").focus()
    page.keyboard.press("Space")
    drawn(page, 'painted(hide="0"')
    top = page.locator(layer(page, 1))
    expect(top).to_contain_text("1 hidden")
    top.get_by_role("button", name="Move down").focus()
    page.keyboard.press("Enter")
    drawn(page, 'layers(a=painted(hide="0"), b=layer(random(ratio=0.5), draw=0))')
    expect(page.locator(layer(page, 0)).get_by_role("button", name="Move up")).to_be_visible()
    for key, mark in (("Enter", "on=False"), ("Space", "layers(a=painted")):
        page.locator(f"{layer(page, 0)} [data-do=eye]").focus()
        page.keyboard.press(key)
        drawn(page, mark)
    page.locator(layer(page, 1)).locator(".title").press("Enter")
    expect(page.locator(f"{layer(page, 1)} [data-do=flip]")).to_be_visible()
    page.locator(f"{layer(page, 1)} [data-do=flip]").press("Enter")
    drawn(page, "invert=True")
    assert page.evaluate("document.scrollingElement.scrollWidth") <= PHONE["width"]
    box = page.locator(".list").bounding_box()
    assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"]
    page.locator(f"{layer(page, 1)} [data-do=flip]").press("Enter")
    page.locator(layer(page, 0)).locator(".title").press("Enter")
    expect(page.locator(f"{layer(page, 0)} [data-do=bin]")).to_be_visible()
    page.locator(f"{layer(page, 0)} [data-do=bin]").press("Enter")
    assert mask_of(drawn(page, "mask='random(ratio=0.5)'")) == "random(ratio=0.5)"
    expect(page.locator("[data-layer]")).to_have_count(0)
    expect(page.locator(".mask-card")).to_contain_text("72 of 144 patches")


def test_presses_that_reach_the_server_together_are_all_done(
    app_server: Any, browser: Browser
) -> None:
    context = browser.new_context(viewport=LAPTOP)
    page = context.new_page()
    line = Line(page)
    page.goto(f"{app_server.url}?mask=layers(a=random(ratio=0.5), b=layer(block(ratio=0.3)))")
    drawn(page)
    line.hold = True
    page.locator(f"{layer(page, 1)} [data-do=eye]").click()
    page.locator("[data-do=flip]").filter(visible=True).click()
    page.wait_for_timeout(300)
    assert line.kept
    line.release()
    both = "layers(a=layer(random(ratio=0.5), invert=True), b=layer(block(ratio=0.3), on=False))"
    assert mask_of(drawn(page, both)) == both
    context.close()


def test_annotations_come_in_as_a_layer(visit: Callable[..., Page]) -> None:
    page = visit("?mask=random(ratio=0.2)&photo=astronaut")
    drawn(page)
    field = page.get_by_label("Import a mask file")

    def give(name: str, content: str) -> None:
        field.set_input_files({"name": name, "mimeType": "text/plain", "buffer": content.encode()})

    box = '<box label="a" xtl="0" ytl="0" xbr="512" ybr="128"/>'
    export = (
        f'<annotations><image name="a.png" width="512" height="512">{box}</image></annotations>'
    )
    give("broken.xml", export[:-20])
    group = page.locator(".wb:has(> .add)")
    told = group.locator("[role=alert]").first
    expect(told).to_contain_text("'broken.xml': it is no whole XML")
    shape = {"label": "a", "shape_type": "rectangle", "points": [[0, 0], [9, 9]]}
    sides = {"imageHeight": 480, "imageWidth": 640, "imagePath": "a.png"}
    give("size.json", json.dumps({"shapes": [shape], **sides}))
    expect(told).to_contain_text("drawn on a picture of 640 x 480")
    give("a.xml", export)
    mark = drawn(page, "over=random(ratio=0.2)")
    assert mask_of(mark) == 'painted(hide="0-35", over=random(ratio=0.2))'
    expect(group.get_by_role("status")).to_contain_text("36 of 144 patches hidden by the file")
    expect(told).to_have_text("")
    expect(page.locator(layer(page, 1))).to_contain_text("36 hidden")
    assert MASKS.parse(mask_of(mark)).sample(preview(SceneSpec()).grid).hidden[0, :3].all()
