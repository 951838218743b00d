"""Models side by side in a real browser: difference, wipe and blink, and the link of each."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.visitor import PHONE, SLOW, png, upload


@pytest.fixture(scope="module")
def other_model(app_server: Any) -> Path:
    """A ViTMAEForPreTraining with random weights and a grid of its own, in the app's home."""
    from transformers import ViTMAEConfig, ViTMAEForPreTraining

    config = ViTMAEConfig(
        image_size=96, patch_size=16, hidden_size=24, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, decoder_hidden_size=16, decoder_num_hidden_layers=1,
        decoder_num_attention_heads=2, decoder_intermediate_size=32,
    )  # fmt: skip
    folder = app_server.home / "models" / "untrained"
    ViTMAEForPreTraining(config).save_pretrained(folder)
    (folder.parent / "letter.pth").write_text("Dear model,")
    return folder


def shows(page: Page, look: str, mark: str = "Compared") -> None:
    frame = page.locator(f'.wb[data-look="{look}"]')
    expect(frame).to_have_attribute("data-mark", re.compile(re.escape(mark)), timeout=SLOW)


def choose(page: Page, text: str) -> None:
    page.locator("fieldset label", has_text=re.compile(f"^{text}$")).click()


def source(page: Page, place: str) -> str:
    return str(page.locator(f"{place} img").first.get_attribute("src"))


def test_two_models_side_by_side_apart_blinking_and_wiped(
    visit: Callable[..., Page], other_model: Path
) -> None:
    page = visit("models?models=default,untrained&mask=random(ratio=0.5)&seed=2")
    shows(page, "beside", "seed=2")
    for name, hidden in (("default", "72/144"), ("untrained", "18/36")):
        card = page.locator(f'[data-model="{name}"]')
        expect(card).to_contain_text(hidden)
        expect(card).to_contain_text(re.compile(r"MSE\s*0\.\d{4}"))
    expect(page.locator("[data-note]")).to_contain_text("own grid")
    page.get_by_text("cannot be used").click()
    expect(page.get_by_role("alert").filter(has_text="letter.pth")).to_be_visible()

    upload(page, png(7))
    shows(page, "beside", "photo='upload-")
    take_the_difference(page)
    wipe(page)
    blink(page)

    again = visit(page.url.split("/", 3)[3], viewport=PHONE, reduced_motion="reduce")
    shows(again, "blink", "pair=('untrained', 'default')")
    expect(again.get_by_role("button", name="Play")).to_be_visible()
    expect(again.locator("[data-blink]")).to_have_attribute("data-shown", "untrained")
    for look in ("Side by side", "Difference", "Wipe"):
        choose(again, look)
        width = again.locator('[data-testid="stMain"]').evaluate("node => node.scrollWidth")
        assert width <= PHONE["width"]


def take_the_difference(page: Page) -> None:
    choose(page, "Difference")
    words = page.locator("[data-difference]")
    expect(words).to_contain_text(re.compile(r"hidden from both: mean 0\.\d{4}"), timeout=SLOW)
    shown = source(page, ".apart figure:last-child")
    choose(page, "Absolute")
    expect(page.locator(".apart figure:last-child img")).not_to_have_attribute("src", shown)
    expect(page.locator(".legend")).to_contain_text("0.25")
    page.locator(".legend").click()
    expect(page.locator(".legend")).not_to_contain_text("0.25")


def wipe(page: Page) -> None:
    choose(page, "Wipe")
    handle = page.get_by_role("slider", name="Divider")
    expect(handle).to_have_attribute("aria-valuenow", "50")
    handle.focus()
    for key in ("ArrowRight", "ArrowRight", "PageDown"):
        handle.press(key)
    expect(handle).to_have_attribute("aria-valuenow", "44")
    box = page.locator("[data-wipe]").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.44, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + 30, steps=4)
    page.mouse.up()
    expect(handle).to_have_attribute("aria-valuenow", "80")
    clip = page.locator("[data-wipe] img").nth(1).evaluate("node => node.style.clipPath")
    assert float(re.findall(r"[\d.]+%", clip)[0][:-1]) == pytest.approx(80, abs=1)


def blink(page: Page) -> None:
    choose(page, "Blink")
    stage = page.locator("[data-blink]")
    first = stage.get_attribute("data-shown")
    expect(stage).not_to_have_attribute("data-shown", str(first))
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    stage.click()
    play = page.get_by_role("button", name="Play")
    expect(play).to_be_visible()
    held = stage.get_attribute("data-shown")
    stage.press("ArrowRight")
    expect(stage).not_to_have_attribute("data-shown", str(held))
    page.get_by_role("button", name="Swap the two models").click()
    expect(page).to_have_url(re.compile("look=blink"))
    expect(page).to_have_url(re.compile("pair=untrained%2Cdefault"))
