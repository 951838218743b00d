"""The studio in a real browser: every control, the numbers it changes, and nothing that leaves."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.browser.visitor import (
    LAPTOP,
    PHONE,
    SLOW,
    drawn,
    knob,
    numbers,
    paint,
    pictures,
    png,
    upload,
    watch,
)
from workbench.masks import Grid, Mask
from workbench.scenes import SceneSpec, compose


@pytest.fixture(scope="module")
def visit(browser: Browser, studio_server: Any) -> Iterator[Callable[..., Page]]:
    """`visit("?seed=3")` opens the studio in a context of its own, and watches it."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def go(query: str = "", viewport: dict[str, int] = LAPTOP, **options: Any) -> Page:
        context = browser.new_context(viewport=viewport, accept_downloads=True, **options)
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=studio_server.url)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(SLOW)
        watch(page, studio_server.url, complaints)
        page.goto(f"{studio_server.url}/{query}")
        return page

    yield go
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture(scope="module")
def page(visit: Callable[..., Page]) -> Page:
    """One page for the tests that need none of their own; each sets what it looks at."""
    return visit("?photo=coffee&mask=random(ratio=0.5)&seed=2")


def recipe(page: Page, text: str) -> None:
    field = page.get_by_label("Recipe")
    field.fill(text)
    field.press("Tab")


def choose(page: Page, label: str, option: str) -> None:
    page.get_by_label(label, exact=True).click()
    page.get_by_role("option", name=option, exact=True).click()


def address(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def test_a_link_opens_its_scene_with_the_engines_numbers(page: Page) -> None:
    mark = drawn(page, "seed=2")
    spec = SceneSpec(photo="coffee", mask="random(ratio=0.5)", seed=2)
    assert mark == repr(spec)
    scene = compose(spec)
    shown = numbers(page)
    assert float(shown["mse"]) == pytest.approx(scene.metrics.mse, abs=2e-4)
    assert float(shown["psnr"].split()[0]) == pytest.approx(scene.metrics.psnr_db, abs=0.05)
    assert "72 of 144 patches" in shown["counts"].replace("\u202f", "")
    expect(page.get_by_test_id("painter-count")).to_contain_text("72 of 144 patches hidden")
    assert all((source or "").startswith("data:image/") for source in pictures(page).values())
    assert len(set(pictures(page).values())) == 4
    expect(page.get_by_label("Recipe")).to_have_value("random(ratio=0.5)")
    expect(page.locator("#leak .line")).to_have_count(5)


def test_a_stroke_changes_mask_pictures_and_numbers(page: Page) -> None:
    recipe(page, "random(ratio=0.5)")
    drawn(page, "mask='random(ratio=0.5)'")
    before = numbers(page)
    paint(page, (0.05, 0.46), (0.95, 0.46))
    drawn(page, 'painted(hide="60-71", over=random(ratio=0.5))')
    now = numbers(page)
    assert now["mse"] != before["mse"]
    count = page.get_by_test_id("painter-count").inner_text()
    hidden = int(count.split()[0])
    assert hidden > 72
    assert f"{hidden} of 144" in now["counts"].replace("\u202f", "")
    expect(page.get_by_label("Recipe")).to_have_value(
        'painted(hide="60-71", over=random(ratio=0.5))'
    )
    page.get_by_test_id("painter-undo").click()
    drawn(page, "mask='random(ratio=0.5)'")
    assert numbers(page) == before


def test_a_strategy_brings_its_knobs(page: Page) -> None:
    recipe(page, "random(ratio=0.5)")
    drawn(page, "mask='random(ratio=0.5)'")
    choose(page, "Mask strategy", "Block")
    drawn(page, "block(ratio=0.5")
    slider = knob(page, "ratio").first
    slider.focus()
    for _ in range(5):
        slider.press("ArrowRight")
    drawn(page, "block(ratio=0.75")
    expect(page.get_by_test_id("painter-count")).to_contain_text("108 of 144")
    seed = knob(page, "seed", "number")
    seed.fill("9")
    seed.press("Enter")
    drawn(page, "seed=9")
    seed.fill("-1")
    seed.press("Enter")
    expect(page.locator("[data-knob=seed] .problem")).to_contain_text("Seed is -1")
    seed.fill("2")
    seed.press("Enter")
    drawn(page, "seed=2")
    expect(page.locator("[data-knob=seed] .problem")).to_be_empty()


def test_fill_model_and_fit(page: Page) -> None:
    masked = pictures(page)["masked"]
    choose(page, "Shown in the holes", "Black")
    drawn(page, "fill='black()'")
    assert pictures(page)["masked"] != masked
    page.get_by_label("Letterbox").click()
    drawn(page, "fit='letterbox'")
    page.get_by_label("Crop", exact=True).click()
    drawn(page, "fit='crop'")
    choose(page, "Shown in the holes", "Grey")
    drawn(page, "fill='grey()'")
    expect(page.get_by_label("Model", exact=True)).to_have_value("default")


def test_an_answer_that_comes_late_takes_nothing_away(page: Page) -> None:
    recipe(page, "random(ratio=0.5)")
    drawn(page, "mask='random(ratio=0.5)'")
    late: list[Route] = []
    lines = ["held"]
    page.route("**/queue/data*", lambda route: late.append(route) if lines else route.continue_())
    choose(page, "Shown in the holes", "Black")
    field = page.get_by_label("Recipe")
    field.fill("")
    field.press_sequentially("stripes(ratio=0.75)", delay=15)
    choose(page, "Shown in the holes", "Grey")
    while not late:
        page.wait_for_timeout(20)
    lines.clear()
    for each in late:
        each.continue_()
    drawn(page, "mask='stripes(ratio=0.75")
    drawn(page, "fill='grey()'")
    page.unroute("**/queue/data*")
    recipe(page, "stripes(ratio=7)")
    expect(page.locator(".trouble [role=alert]")).to_contain_text("ratio is 7")
    expect(field).to_have_value("stripes(ratio=7)")  # to be mended where it was written
    recipe(page, "stripes(ratio=0.75)")
    expect(page.locator(".trouble [role=alert]")).to_have_count(0)
    expect(field).to_have_value(re.compile(r"^stripes\(ratio=0\.75"))


def test_a_recipe_is_drawn_while_it_is_typed(page: Page) -> None:
    field = page.get_by_label("Recipe")
    field.fill("")
    field.press_sequentially("stripes(ratio=0.25)", delay=15)
    drawn(page, "mask='stripes(ratio=0.25")
    expect(page.get_by_label("Mask strategy")).to_have_value("Stripes")
    expect(field).to_have_value("stripes(ratio=0.25)")
    recipe(page, "stripes(ratio=7)")
    trouble = page.locator(".trouble [role=alert]")
    expect(trouble).to_contain_text("ratio is 7")
    assert "stripes(ratio=0.25" in drawn(page)
    recipe(page, 'painted(hide="0-11", over=random(ratio=0.5))')
    drawn(page, 'painted(hide="0-11"')
    expect(trouble).to_have_count(0)
    expect(page.get_by_test_id("painter-clear")).to_be_enabled()
    page.get_by_test_id("painter-clear").click()
    drawn(page, "mask='random(ratio=0.5)'")


def test_a_photo_of_ones_own_is_uploaded_and_deleted(page: Page) -> None:
    recipe(page, "random(ratio=0.5)")
    before = pictures(page)["original"]
    upload(page, png(31), "mine.png")
    mark = drawn(page, "photo='upload-")
    name = re.search(r"upload-[0-9a-f]{32}", mark)
    assert name is not None
    assert pictures(page)["original"] != before
    expect(page).to_have_url(re.compile(name[0]))
    upload(page, b"GIF89a not a photo", "x.gif")
    expect(page.get_by_text("is a GIF file")).to_be_visible()
    page.get_by_role("button", name="Delete this upload").click()
    drawn(page, "photo='astronaut'")
    page.locator('[data-photo="coffee"]').click()
    drawn(page, "photo='coffee'")


def test_the_view_is_its_link_and_its_files(page: Page, tmp_path: Path) -> None:
    recipe(page, "block(ratio=0.6)")
    mark = drawn(page, "block(ratio=0.6)")
    expect(page).to_have_url(re.compile("block"))
    assert address(page) == {"photo": "coffee", "mask": "block(ratio=0.6)", "seed": "2"}
    with page.expect_download() as saved:
        page.locator("[data-file='mask.npz']").click()
    path = tmp_path / "mask.npz"
    saved.value.save_as(path)
    spec = SceneSpec(photo="coffee", mask="block(ratio=0.6)", seed=2)
    grid = Grid(12, 12, patch=12)
    assert Mask.load(path).to_bits() == spec.strategy.sample(grid, seed=2).to_bits()
    page.reload()
    assert drawn(page, "block(ratio=0.6)") == mark
    page.get_by_role("button", name="Copy as Python").click()
    expect(page.get_by_text("Python is copied.")).to_be_visible()
    copied = str(page.evaluate("navigator.clipboard.readText()"))
    assert "compose(SceneSpec(photo='coffee', mask='block(ratio=0.6)', seed=2))" in copied


def test_a_saved_picture_restores_its_view(page: Page, tmp_path: Path) -> None:
    with page.expect_download() as saved:
        page.locator("[data-file='composite.png']").click()
    path = tmp_path / "view.png"
    saved.value.save_as(path)
    recipe(page, "random(ratio=0.3)")
    drawn(page, "random(ratio=0.3)")
    upload(page, path.read_bytes(), "view.png")
    drawn(page, "block(ratio=0.6)")


def test_a_link_with_a_bad_field_says_so_and_keeps_the_rest(visit: Callable[..., Page]) -> None:
    page = visit(
        "?mask=blok(ratio=0.6)&seed=5&photo=moon&model=../x&token2=<script>alert(1)</script>"
    )
    mark = drawn(page, "seed=5")
    assert mark == repr(SceneSpec(photo="moon", seed=5))
    expect(page.locator(".trouble [role=alert]")).to_contain_text("no known strategy")
    expect(page.get_by_role("link", name="Dashboard")).to_be_hidden()  # there is none


def test_two_visitors_do_not_meet(page: Page, visit: Callable[..., Page]) -> None:
    other = visit("?photo=moon&seed=8")
    drawn(other, "seed=8")
    recipe(other, "grid()")
    drawn(other, "grid(")
    assert "seed=2" in drawn(page)
    assert "moon" not in drawn(page)
    paint(page, (0.1, 0.1), (0.3, 0.1))
    drawn(page, "painted(")
    assert "painted" not in drawn(other)


@pytest.mark.parametrize(("size", "scheme"), [(LAPTOP, "dark"), (PHONE, "light")])
def test_nothing_is_cut_off_and_colours_follow_the_system(
    visit: Callable[..., Page], size: dict[str, int], scheme: str
) -> None:
    page = visit("?seed=4", viewport=size, color_scheme=scheme)
    drawn(page, "seed=4")
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= size["width"]
    for name in ("controls", "painting", "pictures"):
        box = page.locator(f"#{name}").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= size["width"]
    ground = page.evaluate(
        "getComputedStyle(document.querySelector('.gradio-container')).backgroundColor"
    )
    light = [int(value) for value in re.findall(r"\d+", ground)[:3]]
    body = page.evaluate(
        "getComputedStyle(document.body).getPropertyValue('--background-fill-primary')"
    )
    assert body.strip() == {"dark": "#121615", "light": "#fbfbfa"}[scheme], light
    canvas = page.locator(".pp-mask").bounding_box()
    assert canvas is not None
    assert canvas["width"] >= 280


def test_what_travels_for_a_stroke_is_small(page: Page) -> None:
    sent: list[int] = []

    def count(request: Any) -> None:
        if request.url.endswith("queue/join?") or "queue/join" in request.url:
            sent.append(len(request.post_data or ""))

    recipe(page, "random(ratio=0.5)")
    drawn(page, "mask='random(ratio=0.5)'")
    page.on("request", count)
    paint(page, (0.05, 0.3), (0.6, 0.3))
    drawn(page, "painted(")
    assert sent
    assert max(sent) < 10_000, json.dumps(sent)
