"""The mask lab in a real browser: measure, click a patch, compare, share, and what leaks."""

import re
from collections.abc import Callable

import numpy as np
from playwright.sync_api import Page, expect

from tests.browser.visitor import PHONE, SLOW, clipboard, knob, png, upload
from workbench.analysis.mask_statistics import statistics
from workbench.masks import MASKS
from workbench.scenes import SceneSpec, grid_of


def figure(page: Page, name: str) -> str:
    return page.locator(f".figures [data-number='{name}'] b").inner_text()


def measured(page: Page, recipe: str) -> None:
    """Wait until the panel shows this recipe and all rows have their pictures."""
    expect(page.locator(".lead b")).to_have_text(recipe, timeout=SLOW)
    expect(page.locator(".row[data-recipe]").first).to_be_visible()
    expect(page.locator('.row[data-recipe][data-drawn=""]')).to_have_count(0, timeout=SLOW)


def shade(page: Page, row: int, col: int) -> int:
    """Red, green and blue of one cell of the occupancy map, added up: dark is seldom hidden."""
    canvas = page.get_by_role("img", name="How often a patch is hidden").first
    return canvas.evaluate(
        "(node, [x, y]) => [...node.getContext('2d').getImageData(x, y, 1, 1).data.slice(0, 3)]"
        ".reduce((sum, each) => sum + each)",
        [col, row],
    )


def test_a_strategy_is_measured_compared_and_shared(visit: Callable[..., Page]) -> None:
    page = visit("mask_lab?photo=coffee&seed=2&mask=random(ratio=0.6)")
    measured(page, "random(ratio=0.6)")
    even = shade(page, 0, 0), shade(page, 6, 6)
    page.get_by_role("combobox", name="Mask strategy").click()
    page.get_by_role("option", name="Block", exact=True).click()
    measured(page, "block(ratio=0.6)")
    found = statistics(MASKS.parse("block(ratio=0.6)"), grid_of(SceneSpec()), 10_000, 2)
    assert figure(page, "Pieces") == f"{found.pieces.mean():.2f}"
    assert figure(page, "Border") == f"{found.border.mean():.1f}"
    assert shade(page, 6, 6) > even[1] - 20 > shade(page, 0, 0) + 60  # the centre bias is seen

    company = page.get_by_role("img", name="Hidden with the patch you click")
    box = company.bounding_box()
    assert box is not None
    company.click(position={"x": box["width"] * 1.5 / 12, "y": box["height"] * 2.5 / 12})
    told = page.get_by_text("patch 25, row 2, column 1")
    expect(told).to_contain_text(f"{found.occupancy[2, 1]:.1%}")
    company.focus()
    company.press("ArrowRight")
    expect(page.get_by_text("patch 26, row 2, column 2")).to_be_visible()

    page.get_by_role("button", name="Add a policy").click()
    measured(page, 'color_noise(ratio=0.6, color="green")')
    knob(page, "ratio", "number").fill("0.5")
    knob(page, "ratio", "number").press("Enter")
    measured(page, 'color_noise(ratio=0.5, color="green")')
    expect(page.locator('.row[data-recipe="block(ratio=0.5)"]')).to_contain_text("50.0%")

    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("status").filter(has_text="link is copied")).to_be_visible()
    link = clipboard(page)
    other = visit(link.split("/", 3)[3])
    measured(other, "block(ratio=0.5)")
    expect(other.get_by_text("patch 26, row 2, column 2")).to_be_visible()
    assert other.locator(".row[data-recipe]").all_inner_texts() == [
        text.replace("○", "●") if at == 0 else text
        for at, text in enumerate(page.locator(".row[data-recipe]").all_inner_texts())
    ]
    other.locator(".row[data-recipe]").nth(1).get_by_role("link", name="Open", exact=True).click()
    expect(other).to_have_url(re.compile(r"/\?photo=coffee&mask=color_noise"), timeout=SLOW)
    results = other.locator(".wb[data-drawn]")
    expect(results).to_have_attribute("data-mark", re.compile("color_noise"), timeout=SLOW)


def test_an_upload_of_ones_own_and_what_leaks(visit: Callable[..., Page]) -> None:
    page = visit("mask_lab?draws=100", viewport=PHONE)
    measured(page, "random(ratio=0.75)")
    before = page.locator('.row img[alt^="reconstruction"]').get_attribute("src")
    upload(page, png(11))
    expect(page.locator(".row img").nth(1)).not_to_have_attribute("src", str(before), timeout=SLOW)
    width = page.locator('[data-testid="stMain"]').evaluate("node => node.scrollWidth")
    assert width <= PHONE["width"]
    page.get_by_role("button", name=re.compile("Measure on")).click()
    table = page.locator(".wb[data-state] table")
    expect(page.locator(".wb[data-state=done]")).to_be_visible(timeout=SLOW)
    cells = table.locator("tr").nth(1).locator("td").all_inner_texts()
    assert cells[0] == "random(ratio=0.75)" and len(cells) == 7
    errors = np.array([float(each) for each in cells[1:6]])
    assert 0.005 < errors[0] < errors[1] < 0.1  # the model beats the mean colour
    assert re.fullmatch(r"\d+%", cells[6])
