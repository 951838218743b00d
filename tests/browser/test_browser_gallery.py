"""The gallery in a real browser: search, kind, and from a tile to the first view."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.visitor import PHONE, SLOW, drawn
from workbench.masks import MASKS


def test_a_tile_opens_its_recipe(visit: Callable[..., Page]) -> None:
    page = visit("gallery?photo=coffee&seed=5&text=BEiT")
    block = page.locator('[data-strategy="block"]')
    expect(block).to_be_visible(timeout=SLOW)
    expect(page.locator("article:visible")).to_have_count(1)
    search = page.get_by_label("Search strategies")
    search.fill("")
    expect(page.locator("article:visible")).to_have_count(len(MASKS.names()))
    page.get_by_label("Kind", exact=True).select_option("frequency")
    expect(page.locator('[data-strategy="frequency_disc"]')).to_be_visible()
    expect(block).to_be_hidden()
    expect(page).to_have_url(re.compile("kind=frequency"))
    search.fill("no such thing")
    expect(page.get_by_text("No strategy fits")).to_be_visible()
    page.get_by_label("Kind", exact=True).select_option("")
    search.fill("inverse block")
    page.get_by_role("link", name="inverse block").click()
    mark = drawn(page, "inverse_block(")
    assert "photo='coffee'" in mark and "seed=5" in mark


def test_the_gallery_fits_a_phone(visit: Callable[..., Page]) -> None:
    page = visit("gallery", viewport=PHONE)
    expect(page.locator('[data-strategy="block"]')).to_be_visible(timeout=SLOW)
    main = page.locator('[data-testid="stMain"]')
    assert main.evaluate("node => node.scrollWidth") <= PHONE["width"]
