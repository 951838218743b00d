"""The dashboard in a real browser: from the upload to the shared link, on every screen."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect

from tests.browser.visitor import (
    LAPTOP,
    PHONE,
    SLOW,
    Line,
    clipboard,
    drawn,
    health,
    knob,
    numbers,
    paint,
    pictures,
    png,
    upload,
    watch,
)


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


def test_500_slider_moves_run_one_model_call_at_a_time(start_app: Any, browser: Browser) -> None:
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


def test_a_change_that_is_lost_on_the_way_is_sent_again(app_server: Any, browser: Browser) -> None:
    context = browser.new_context(viewport=LAPTOP)
    page = context.new_page()
    line = Line(page)
    page.goto(app_server.url)
    mark = drawn(page)
    expect(page.locator(".wb:has(> .meter)")).to_have_attribute("data-mark", mark, timeout=SLOW)
    line.lose = 1
    box = knob(page, "ratio", "number")
    box.fill("0.35")
    box.press("Enter")
    mark = drawn(page, "ratio=0.35")
    assert len(line.lost) == 1
    expect(page.locator(".wb:has(> .meter)")).to_have_attribute("data-mark", mark, timeout=SLOW)
    line.lose = 1
    upload(page, png(4))
    drawn(page, "upload-")
    assert len(line.lost) == 2
    context.close()
