"""Matrix and searches in a real browser, on a photo of the visitor's own, beside other visitors."""

import re
import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.visitor import (
    PHONE,
    SLOW,
    clipboard,
    drawn,
    health,
    knob,
    numbers,
    png,
    upload,
)


def job_is(page: Page, state: str) -> None:
    bar = page.locator(f'.job[data-state="{state}"]')
    expect(bar).to_have_count(1, timeout=SLOW)


def jobs_are(page: Page, running: int) -> None:
    """Wait until the server has this many jobs, told by itself."""
    end = time.monotonic() + SLOW / 1000
    while health(page)["jobs"] != {"running": running, "waiting": 0}:
        assert time.monotonic() < end, health(page)
        page.wait_for_timeout(50)


def test_a_matrix_of_one_s_own_photo(visit: Callable[..., Page]) -> None:
    page = visit("matrix?ratios=0.4,0.75")
    job_is(page, "done")
    upload(page, png(11))
    expect(page).to_have_url(re.compile("photo=upload-"), timeout=SLOW)
    job_is(page, "done")
    expect(page.locator('td[data-state="made"]')).to_have_count(16)
    cell = page.locator('td[data-cell="3,1"]')
    mse = cell.locator("b").inner_text()
    expect(page.locator("td.best")).to_have_count(2)
    page.get_by_role("button", name="Copy as command").click()
    expect(page.get_by_role("status").filter(has_text="command is copied")).to_be_visible()
    assert "workbench matrix upload-" in clipboard(page)

    page.get_by_role("radio", name="Error against ratio").click()
    plot = page.locator(".js-plotly-plot").filter(has_text="trained at 0.75")
    expect(plot.first).to_be_visible(timeout=SLOW)  # a redraw may show two for a moment
    job_is(page, "done")
    expect(page).to_have_url(re.compile("look=curve"))
    page.get_by_role("radio", name="Spread over seeds").click()
    expect(page.locator("[data-found=words]")).to_contain_text("16 seeds", timeout=SLOW)
    expect(page.locator('img[alt="Variance"]')).to_be_visible()
    job_is(page, "done")

    page.get_by_role("radio", name="Matrix", exact=True).click()
    link = page.locator('td[data-cell="3,1"] a')
    expect(link).to_have_attribute("href", re.compile("^/[?]photo=upload-"), timeout=SLOW)
    link.focus()
    page.keyboard.press("Enter")
    drawn(page, "mask='units(ratio=0.75)'")
    assert numbers(page)["mse"] == mse


def test_a_long_search_beside_another_page(visit: Callable[..., Page], app_server: Any) -> None:
    searching = visit("searches?search=worst_mask(ratio=0.5, evaluations=1000000)")
    expect(searching.get_by_role("button", name="Copy link")).to_be_visible(timeout=SLOW)
    upload(searching, png(12))
    expect(searching).to_have_url(re.compile("photo=upload-"), timeout=SLOW)
    expect(searching.locator(".row[data-knob=evaluations]")).to_be_visible()
    searching.get_by_role("button", name="Start").click()
    job_is(searching, "running")
    expect(searching.locator('img[alt="The best mask so far"]')).to_be_visible(timeout=SLOW)

    other = visit("?seed=3")
    mark = drawn(other, "seed=3")
    meter = other.locator(".wb:has(> .meter)")
    expect(meter).to_have_attribute("data-mark", mark, timeout=SLOW)
    for ratio in ("0.5", "0.3"):
        knob(other, "ratio", "number").fill(ratio)
        knob(other, "ratio", "number").press("Enter")
        drawn(other, f"ratio={ratio}")
    assert health(other)["jobs"]["running"] == 1  # the search went on meanwhile
    assert health(other)["most_at_once"] == 1

    said = searching.locator(".told")
    expect(said).to_have_text(re.compile(r"of 1000000, \d+ masks a second, about \d+ min to go"))
    searching.get_by_role("button", name="Cancel").click()
    job_is(searching, "cancelled")
    jobs_are(searching, 0)
    words = searching.locator("[data-found=words]").inner_text()
    recipe = searching.locator("[data-found=recipe]").inner_text()
    searching.get_by_role("link", name="Open in the first view").click()
    assert recipe in drawn(searching, "painted(hide=")
    assert f"MSE {numbers(searching)['mse']}" in words


def test_closing_the_page_ends_its_search(visit: Callable[..., Page]) -> None:
    watcher = visit()
    drawn(watcher)
    jobs_are(watcher, 0)
    page = visit("searches?photo=coffee&search=smallest_visible_set(aim=60.0)", viewport=PHONE)
    expect(page.get_by_text("Start tries masks one after the other")).to_be_visible(timeout=SLOW)
    expect(page.get_by_role("button", name="Copy link")).to_be_visible(timeout=SLOW)
    page.get_by_role("button", name="Start").click()
    job_is(page, "running")
    main = page.locator('[data-testid="stMain"]')
    assert main.evaluate("node => node.scrollWidth") <= PHONE["width"]
    jobs_are(watcher, 1)
    page.close()
    jobs_are(watcher, 0)
