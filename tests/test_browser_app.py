"""The dashboard in a real browser: what a visitor does, from the upload to the shared link."""

import io
import json
import re
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

LAPTOP = {"width": 1280, "height": 900}
PHONE = {"width": 380, "height": 800}
SLOW = 60_000  # milliseconds; a shared machine may have to load the model first


@pytest.fixture
def visit(browser: Browser, app_server: Any) -> Iterator[Callable[..., Page]]:
    """`visit("?seed=3")` opens a page in a browser context of its own, and watches it."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def go(query: str = "", viewport: dict[str, int] = LAPTOP, **options: Any) -> Page:
        context = browser.new_context(viewport=viewport, accept_downloads=True, **options)
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=app_server.url)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(SLOW)
        watch(page, app_server.url, complaints)
        page.goto(f"{app_server.url}/{query}")
        return page

    yield go
    for context in contexts:
        context.close()
    assert complaints == []


def watch(page: Page, url: str, complaints: list[str]) -> None:
    """Collect console errors, failed requests, and requests that would leave this machine."""
    local = (url, url.replace("http", "ws"), "data:", "blob:")

    def console(message: Any) -> None:
        if message.type == "error":
            complaints.append(f"console: {message.text}")

    page.on("console", console)
    page.on("pageerror", lambda error: complaints.append(f"page: {error}"))
    page.on(
        "request",
        lambda request: request.url.startswith(local) or complaints.append(f"left: {request.url}"),
    )


def drawn(page: Page, mark: str = "SceneSpec") -> str:
    """Wait until a picture of a scene that holds `mark` is drawn; returns the scene's mark."""
    results = page.locator(".wb[data-drawn]")
    expect(results).to_have_attribute("data-mark", re.compile(re.escape(mark)), timeout=SLOW)
    return str(results.get_attribute("data-mark"))


def numbers(page: Page) -> dict[str, str]:
    names = ("mse", "psnr", "ssim", "counts")
    return {name: page.locator(f"[data-number={name}]").inner_text() for name in names}


def pictures(page: Page) -> dict[str, str | None]:
    names = ("original", "masked", "reconstruction", "composite")
    return {name: page.locator(f'.tiles img[alt="{name}"]').get_attribute("src") for name in names}


def knob(page: Page, name: str, kind: str = "range") -> Locator:
    return page.locator(f'[data-knob={name}] input[type="{kind}"]')


def paint(page: Page, *points: tuple[float, float]) -> None:
    """Draw one stroke through points given as shares of the picture."""
    canvas = page.locator(".pp-mask")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=12)
    page.mouse.up()


def png(seed: int = 0, side: int = 200) -> bytes:
    """A colourful photo-like PNG that nobody else has."""
    rows, cols = np.mgrid[0:side, 0:side] / side
    waves = np.random.default_rng(seed).uniform(2, 9, (3, 2))
    planes = [np.sin(a * rows * 3 + b * cols * 2) for a, b in waves]
    pixels = ((np.stack(planes, -1) + 1) * 127).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def upload(page: Page, content: bytes, name: str = "photo.png") -> None:
    field = page.locator('[data-testid="stFileUploaderDropzoneInput"]')
    expect(field).to_have_count(1)
    field.set_input_files({"name": name, "mimeType": "image/png", "buffer": content})


def health(page: Page) -> dict[str, Any]:
    address = re.match(r"http://[^/]+", page.url)
    assert address is not None
    with urllib.request.urlopen(f"{address[0]}/api/health") as answer:
        return json.load(answer)


def clipboard(page: Page) -> str:
    return str(page.evaluate("navigator.clipboard.readText()"))


def test_the_path_of_a_visitor(visit: Callable[..., Page]) -> None:
    page = visit()
    drawn(page, "astronaut")
    first = numbers(page)

    upload(page, png(1))
    drawn(page, "photo='upload-")
    uploaded = numbers(page)
    assert uploaded != first

    paint(page, (0.1, 0.1), (0.9, 0.15), (0.85, 0.8))
    drawn(page, "painted(hide=")
    painted = numbers(page)
    assert painted != uploaded

    slider = knob(page, "ratio")
    slider.focus()
    for _ in range(6):
        slider.press("ArrowLeft")
    drawn(page, "ratio=0.45")
    final, shown = numbers(page), pictures(page)
    assert final["counts"] != painted["counts"]
    assert re.fullmatch(r"0\.\d{4}", final["mse"])
    assert re.fullmatch(r"-?\d+\.\d\d dB", final["psnr"])

    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("status").filter(has_text="link is copied")).to_be_visible()
    link = clipboard(page)
    assert "photo=upload-" in link
    expect(page).to_have_url(link)

    other = visit(link.split("/", 3)[3])
    drawn(other, "ratio=0.45")
    assert numbers(other) == final
    assert pictures(other) == shown


def test_two_visitors_never_see_each_others_state(visit: Callable[..., Page]) -> None:
    one, other = visit("?seed=1"), visit("?seed=2&photo=coffee")
    drawn(one, "seed=1")
    drawn(other, "seed=2")
    before = numbers(other)
    paint(one, (0.2, 0.2), (0.8, 0.8))
    drawn(one, "painted(")
    knob(one, "seed", "number").fill("9")
    knob(one, "seed", "number").press("Enter")
    drawn(one, "seed=9")
    assert numbers(other) == before
    knob(other, "ratio", "number").fill("0.5")
    knob(other, "ratio", "number").press("Enter")
    assert "painted" not in drawn(other, "ratio=0.5")
    assert "seed=9" in drawn(one)
    upload(one, png(5))
    name = re.search(r"upload-\w+", drawn(one, "upload-"))
    assert name is not None
    assert name[0] not in other.content()
    assert other.locator(f'[data-photo="{name[0]}"]').count() == 0


def test_the_first_screen_of_a_laptop_shows_it_all(visit: Callable[..., Page]) -> None:
    page = visit()
    drawn(page)
    seen = [
        page.locator(".pp-mask"), page.locator(".mask-card"), knob(page, "ratio"),
        page.locator('.tiles img[alt="reconstruction"]'), page.locator("[data-number=counts]"),
        page.locator(".line.model"), page.get_by_role("button", name="Copy link"),
    ]  # fmt: skip
    for part in seen:
        expect(part).to_be_in_viewport(ratio=1, timeout=SLOW)


def test_a_phone_shows_everything_in_one_column(visit: Callable[..., Page]) -> None:
    page = visit(viewport=PHONE, has_touch=True, is_mobile=True)
    drawn(page)
    assert page.evaluate("document.scrollingElement.scrollWidth") <= PHONE["width"]
    main = page.locator('[data-testid="stMain"]')
    assert main.evaluate("node => node.scrollWidth") <= PHONE["width"]
    expect(page.locator(".pp-mask")).to_be_in_viewport(ratio=1)
    order = [".pp-mask", "[data-knob=ratio]", "[data-number=mse]", ".strip"]
    tops = [page.locator(part).first.bounding_box() for part in order]
    heights = [box["y"] for box in tops if box is not None]
    assert heights == sorted(heights)
    assert len(heights) == len(order)
    for box in tops:
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE["width"]
    knob(page, "ratio").tap()
    middle = drawn(page, "ratio=0.5")
    assert "painted" not in middle
    page.locator(".pp-mask").scroll_into_view_if_needed()
    page.locator(".pp-mask").tap(position={"x": 20, "y": 20})
    drawn(page, "painted(")


def test_everything_works_by_keyboard(visit: Callable[..., Page]) -> None:
    page = visit()
    drawn(page)
    for _ in range(40):
        page.keyboard.press("Tab")
        focused = page.evaluate("""() => {
            let node = document.activeElement;
            while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
            return node?.closest("[data-knob]")?.dataset.knob + ":" + node?.type;
        }""")
        if focused == "ratio:range":
            break
    assert focused == "ratio:range"
    page.keyboard.press("Home")
    banner = page.locator(".banner")
    expect(banner).to_contain_text("hide")
    page.keyboard.press("End")
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    drawn(page, "ratio=0.8")
    expect(banner).to_be_hidden()

    chosen = page.locator('.strip [aria-checked="true"]')
    chosen.focus()
    page.keyboard.press("ArrowDown")
    drawn(page, "photo='chelsea'")

    before = page.locator(".mask-card").inner_text()
    page.locator(".pp-mask").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    drawn(page, "painted(")
    expect(page.locator(".mask-card")).not_to_have_text(before)


def test_a_saved_picture_restores_its_view(
    visit: Callable[..., Page], tmp_path: Path, app_server: Any
) -> None:
    page = visit("?mask=block(ratio=0.4)&seed=11")
    upload(page, png(2))
    drawn(page, "upload-")
    paint(page, (0.1, 0.9), (0.6, 0.9))
    mark = drawn(page, "painted(")
    shown = pictures(page)
    page.get_by_label("with the photo inside").check()
    with page.expect_download() as download:
        page.get_by_role("button", name="Paste-back", exact=True).click()
    saved = tmp_path / "saved.png"
    download.value.save_as(saved)
    assert "block" in download.value.suggested_filename
    page.get_by_role("button", name="Delete this upload").click()
    drawn(page, "photo='astronaut'")

    other = visit()
    drawn(other, "astronaut")
    content = list(saved.read_bytes())
    other.evaluate(
        """(bytes) => {
        const files = new DataTransfer();
        files.items.add(new File([new Uint8Array(bytes)], "saved.png", {type: "image/png"}));
        const drop = new DragEvent("drop", {dataTransfer: files, bubbles: true, cancelable: true});
        document.body.dispatchEvent(drop);
    }""",
        content,
    )
    assert drawn(other, "painted(") == mark
    assert pictures(other) == shown
    expect(other.get_by_text("The view is restored.")).to_be_visible()


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
    alert = page.locator('.st-key-photo-controls [data-testid="stAlert"]')
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
    from workbench.masks import MASKS, Grid, Mask

    page = visit("?mask=block(ratio=0.6)&seed=5")
    drawn(page)
    with page.expect_download() as download:
        page.locator(f'[data-file="{name}"]').click()
    path = tmp_path / name
    download.value.save_as(path)
    expected = MASKS.parse("block(ratio=0.6)").sample(Grid(12, 12, patch=12), seed=5)
    loaded = Mask.load(path, grid=Grid(12, 12, patch=12))
    assert (loaded.hidden == expected.hidden).all()


DRAG = """async (slider) => {
  const move = (value) => {
    slider.value = value;
    slider.dispatchEvent(new Event("input", {bubbles: true}));
  };
  const begin = performance.now();
  for (let step = 0; step < 500; step += 1) {
    move(0.2 + 0.6 * Math.abs(Math.sin(step / 25)));
    const due = begin + (step + 1) * 10;
    await new Promise((go) => setTimeout(go, Math.max(0, due - performance.now())));
  }
  move(0.35);
  slider.dispatchEvent(new Event("change", {bubbles: true}));
}"""


def test_500_moves_in_5_seconds_run_one_model_call_at_a_time(
    start_app: Any, browser: Browser
) -> None:
    app = start_app()
    context = browser.new_context(viewport=LAPTOP)
    page = context.new_page()
    complaints: list[str] = []
    watch(page, app.url, complaints)
    page.goto(app.url)
    drawn(page)
    before = health(page)
    page.evaluate("""() => {
        window.pictures = 0;
        window.addEventListener("workbench:drawn", () => { window.pictures += 1; });
    }""")
    knob(page, "ratio").evaluate(DRAG)
    mark = drawn(page, "ratio=0.35")
    after = health(page)
    assert after["most_at_once"] == 1
    calls = after["calls"] - before["calls"]
    assert 3 <= calls <= 250  # live while dragging, yet far fewer than the moves
    assert page.evaluate("window.pictures") >= 3
    expect(page.locator(".wb:has(> .meter)")).to_have_attribute("data-mark", mark, timeout=SLOW)
    assert drawn(page) == mark
    assert complaints == []
    context.close()
