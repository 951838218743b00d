"""Guided masks in a real browser: the map is seen, chosen, tuned and painted."""

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.visitor import drawn, knob, numbers, paint, png, upload
from workbench.data.score_maps import read_map


def choose(page: Page, strategy: str) -> None:
    page.get_by_role("combobox", name=re.compile("Mask strategy")).click()
    page.get_by_role("option", name=strategy, exact=True).click()


def shown_map(page: Page) -> tuple[str, str]:
    """The recipe of the map that is shown, and its pixels as text."""
    figure = page.locator("figure[data-map]")
    expect(figure).to_be_visible()
    pixels = figure.locator(".stage canvas").evaluate("node => node.toDataURL()")
    return str(figure.get_attribute("data-map")), str(pixels)


def test_a_map_guides_the_mask_of_an_uploaded_photo(
    visit: Callable[..., Page], tmp_path: Path
) -> None:
    page = visit()
    drawn(page)
    expect(page.locator("figure[data-map]")).to_have_count(0)
    upload(page, png(3))
    drawn(page, "upload-")
    before = numbers(page)

    choose(page, "Guided")
    drawn(page, 'guided(ratio=0.75, scores="edges()")')
    edges = shown_map(page)
    guided = numbers(page)
    assert edges[0] == "edges()" and guided["mse"] != before["mse"]
    assert guided["counts"] == before["counts"]
    expect(page.locator("figure[data-map] .legend span").first).to_have_text(re.compile(r"^0"))

    scores = page.locator("[data-knob=scores] select")
    scores.select_option("attention")
    drawn(page, 'scores="attention()"')
    assert shown_map(page)[1] != edges[1] and numbers(page)["mse"] != guided["mse"]
    page.locator('[data-knob="scores.asked_by"] select').select_option("patches")
    drawn(page, "patches")

    knob(page, "share").focus()
    knob(page, "share").press("Home")
    drawn(page, "share=0.0")
    assert numbers(page) == before  # without a share the map decides nothing

    scores.select_option("depth")
    expect(page.locator(".banner")).to_contain_text("nothing is known of the depth")
    scores.select_option("variance")
    drawn(page, "variance()")
    expect(page.locator(".banner")).to_be_hidden()

    with page.expect_download() as download:
        page.locator('[data-file="map.npy"]').click()
    download.value.save_as(tmp_path / "map.npy")
    saved = read_map(tmp_path / "map.npy")
    figure = page.locator("figure[data-map] .stage canvas")
    assert saved.shape == (12, 12)
    assert f"{saved.max():.3g}" in str(figure.get_attribute("aria-label"))

    choose(page, "Parts")
    drawn(page, "parts(")
    assert shown_map(page)[0] == "parts()"
    expect(page.locator("figure[data-map] .legend")).to_contain_text("7 labels")


def test_what_is_painted_becomes_the_map(visit: Callable[..., Page]) -> None:
    page = visit('?mask=guided(ratio=0.1, scores="edges()")')
    drawn(page)
    paint(page, (0.2, 0.5), (0.8, 0.5))
    drawn(page, "painted(hide=")
    page.locator("[data-knob=scores] select").select_option("drawn")
    mark = drawn(page, "drawn(patches=")
    assert "painted" not in mark
    recipe, _ = shown_map(page)
    assert recipe.startswith('drawn(patches="')
    expect(page.locator(".mask-card")).to_contain_text("14 of 144 patches")


def test_every_map_of_a_stack_is_shown(visit: Callable[..., Page]) -> None:
    stack = 'layers(a=guided(ratio=0.2, scores="edges()"), b=parts(ratio=0.2))'
    page = visit(f"?mask={stack}")
    drawn(page, "layers(")
    maps = page.locator("figure[data-map]")
    expect(maps).to_have_count(2)
    assert [each.get_attribute("data-map") for each in maps.all()] == ["edges()", "parts()"]
