"""The dashboard in a real browser: what goes in wrong, and what comes out right."""

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.visitor import (
    SLOW,
    clipboard,
    drawn,
    knob,
    numbers,
    paint,
    pictures,
    png,
    upload,
)
from workbench.masks import MASKS, Grid, Mask


def truncated() -> bytes:
    return png(3)[:2000]


def animated() -> bytes:
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue")]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    return buffer.getvalue()


def bomb() -> bytes:
    """A PNG whose header promises 50,000 x 50,000 pixels."""
    raw = bytearray(png(4))
    raw[16:24] = (50_000).to_bytes(4, "big") * 2
    return bytes(raw)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"This is a letter, not a picture.", "PNG, JPEG"),
        (b"", "0 bytes"),
        (truncated(), "cut off"),
        (animated(), "GIF"),
        (bomb(), "50"),
        (b"%PDF-1.7 renamed", "PNG, JPEG"),
    ],
    ids=["text", "empty", "truncated", "gif", "bomb", "pdf"],
)
def test_a_bad_upload_is_told_and_the_picture_stays(
    visit: Callable[..., Page], content: bytes, words: str
) -> None:
    page = visit("?seed=4")
    mark, shown = drawn(page), pictures(page)
    upload(page, content)
    alert = page.locator(".st-key-photo-controls").get_by_role("alert")
    expect(alert).to_contain_text(re.compile(re.escape(words), re.IGNORECASE))
    assert "Traceback" not in alert.inner_text()
    assert drawn(page) == mark
    assert pictures(page) == shown
    upload(page, png(6))
    drawn(page, "upload-")
    expect(alert).to_have_count(0)


def test_refused_settings_are_told_beside_their_control(visit: Callable[..., Page]) -> None:
    page = visit()
    mark, shown = drawn(page), pictures(page)
    box = knob(page, "ratio", "number")
    for typed, words in (("1.5", "from 0 to 1"), ("-0.1", "from 0 to 1")):
        box.fill(typed)
        box.press("Enter")
        problem = page.locator("[data-knob=ratio] .problem")
        expect(problem).to_contain_text(typed)
        expect(problem).to_contain_text(words)
        expect(box).to_have_value("0.75")
    assert drawn(page) == mark
    for typed in ("0", "1"):
        box.fill(typed)
        box.press("Enter")
        expect(page.locator(".banner")).to_contain_text("The last picture stays")
        assert pictures(page)["reconstruction"] == shown["reconstruction"]
    box.fill("0.5")
    box.press("Enter")
    drawn(page, "ratio=0.5")
    expect(page.locator(".banner")).to_be_hidden()


def test_a_lock_hits_the_ratio_after_painting(visit: Callable[..., Page]) -> None:
    page = visit("?mask=random(ratio=0.25)")
    drawn(page)
    paint(page, (0.05, 0.5), (0.95, 0.5))
    drawn(page, "painted(")
    knob(page, "lock", "checkbox").check()
    drawn(page, "lock=0.25")
    expect(page.locator(".mask-card")).to_contain_text("36 of 144 patches")
    knob(page, "lock").fill("0.5")
    drawn(page, "lock=0.5")
    expect(page.locator(".mask-card")).to_contain_text("72 of 144 patches")
    expect(page.locator(".pp-count")).to_contain_text("72 of 144")


def test_copies_and_the_leak_meter(visit: Callable[..., Page]) -> None:
    page = visit("?photo=coffee&seed=3")
    mark = drawn(page)
    meter = page.locator(".wb:has(> .meter)")
    expect(meter).to_have_attribute("data-mark", mark, timeout=SLOW)
    rows = meter.locator(".line")
    assert rows.count() >= 5
    expect(rows.first.locator("b")).to_have_text(numbers(page)["mse"])
    page.get_by_role("button", name="Copy as Python").click()
    expect(page.get_by_role("status").filter(has_text="Python is copied")).to_be_visible()
    code = clipboard(page)
    assert "SceneSpec(photo='coffee', seed=3)" in code
    compile(code, "copied", "exec")
    page.get_by_role("button", name="Copy as command").click()
    expect(page.get_by_role("status").filter(has_text="command is copied")).to_be_visible()
    assert clipboard(page).startswith("python -m workbench reconstruct coffee")


@pytest.mark.parametrize("name", ["mask.npz", "mask.png", "mask.rle.json"])
def test_masks_are_saved_as_they_are_shown(
    visit: Callable[..., Page], tmp_path: Path, name: str
) -> None:

    page = visit("?mask=block(ratio=0.6)&seed=5")
    drawn(page)
    with page.expect_download() as download:
        page.locator(f'[data-file="{name}"]').click()
    path = tmp_path / name
    download.value.save_as(path)
    expected = MASKS.parse("block(ratio=0.6)").sample(Grid(12, 12, patch=12), seed=5)
    loaded = Mask.load(path, grid=Grid(12, 12, patch=12))
    assert (loaded.hidden == expected.hidden).all()
