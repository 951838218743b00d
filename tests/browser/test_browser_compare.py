"""Runs beside each other in a real browser, on a sweep of real small runs."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.visitor import PHONE
from tests.runs.conftest import small_config
from workbench.runs.queue import Queue
from workbench.runs.store import ALERTS, RunStore
from workbench.runs.sweeping import sweep
from workbench.runs.sweeps import Sweep
from workbench.runs.training import train

OVER = {"mask": ["random", "block"], "ratio": ["0.5", "0.75"]}


@pytest.fixture(scope="module")
def trained(app_server: Any) -> Sweep:
    """Four runs of six steps, each measured at its end, in the folder that the app shows."""
    store = RunStore(app_server.home / "runs")
    queue = Queue(store.folder)
    before = queue.settings()["paused"]
    queue.set(paused=1)  # they are trained here, without a process for each
    preset = small_config(steps=6, save_every=6, picture_every=3, evaluate="knn")
    found = sweep(preset, OVER, dir=store.folder, name="masks <b>by</b> ratios")
    for run in found:
        queue.remove(run.id)
        assert train(run) == "done"
    queue.set(paused=before)
    return found


def strips(page: Page) -> list[tuple[str, str]]:
    """Step and address of each run's picture."""
    found = page.locator("[data-strip]")
    return [
        (str(found.nth(i).get_attribute("data-shown")),
         str(found.nth(i).locator("img").get_attribute("src")))
        for i in range(found.count())
    ]  # fmt: skip


def test_two_runs_beside_each_other(trained: Sweep, visit: Callable[..., Page]) -> None:
    first, second, *_ = trained.runs()
    page = visit(f"compare?runs={first.id},{second.id}")
    table = page.locator('[data-table="differing"]')
    keys = table.locator("[data-key]")
    expect(keys).to_have_count(4)  # one knob, two results, the state
    assert [keys.nth(i).get_attribute("data-key") for i in range(4)] == [
        "mask", "knn", "loss", "state",
    ]  # fmt: skip
    expect(table).to_contain_text("random(ratio=0.75)")
    row = first.evaluations()[0]
    expect(table.locator('[data-key="knn"]')).to_contain_text(f"{100 * row['accuracy']:.1f}%")
    expect(page.locator('[data-section="board"]')).to_be_hidden()

    # one slider moves the pictures of both
    slider = page.get_by_label("Step", exact=True)
    assert [step for step, _ in strips(page)] == ["6", "6"]
    slider.press("ArrowLeft")
    expect(page.locator('[data-shown="3"]')).to_have_count(2)
    for at in range(2):
        image = page.locator("[data-strip] img").nth(at)
        expect(image).to_have_attribute("src", re.compile("00000003"))
    for run, (_, address) in zip((first, second), strips(page), strict=True):
        assert f"{run.id}/picture/step-00000003-reconstruction" in address
    for at in range(2):  # they were really served: eight digits of 96 px
        image = page.locator("[data-strip] img").nth(at)
        expect(image).to_have_js_property("naturalWidth", 8 * 96)

    # curves: switched off, logarithmic, smoothed, over pictures; the tip reads both
    lines = page.locator("[data-line]")
    expect(lines).to_have_count(2)
    page.locator('[data-section="curves"] svg[role="img"]').hover(position={"x": 200, "y": 120})
    expect(page.locator(".tip div")).to_have_count(2)
    page.get_by_role("button", name="ratio 0.75", exact=True).click()
    expect(lines).to_have_count(1)
    page.get_by_label("log scale").check()
    page.get_by_label("against", exact=True).select_option("pictures")
    expect(page.locator('[data-section="curves"] svg[role="img"]')).to_have_attribute(
        "aria-label", re.compile("^loss against pictures seen: ratio 0.5 ends at")
    )

    # the address holds all of it
    again = visit(page.url.partition("127.0.0.1")[2].partition("/")[2])
    expect(again.locator('[data-shown="3"]')).to_have_count(2)
    expect(again.locator("[data-line]")).to_have_count(1)
    expect(again.get_by_label("log scale")).to_be_checked()
    expect(again.get_by_label("against", exact=True)).to_have_value("pictures")


def test_a_sweep_fills_the_matrix(trained: Sweep, visit: Callable[..., Page]) -> None:
    page = visit("sweeps")
    card = page.locator(f'[data-sweep="{trained.id}"]')
    expect(card).to_contain_text("masks <b>by</b> ratios")  # as text: no name is markup
    expect(card).to_contain_text("4 done of 4 runs")
    card.get_by_role("button", name="Delete").click()
    expect(card.get_by_role("alertdialog")).to_contain_text("all of its runs")
    page.keyboard.press("Enter")  # on what has the focus: the harmless one
    expect(card.get_by_role("alertdialog")).to_have_count(0)
    form = page.locator(".form[data-count]")
    page.locator(".form .masks").get_by_label("Block", exact=True).check()
    page.locator('[data-field="shared"]').fill("steps=20")
    expect(page.locator('[data-found="command"]')).to_have_text(
        "python -m workbench sweep digits_mae_tiny --over mask=block,random --over ratio=0.5,0.75 "
        "--over seed=0..1 steps=20"
    )
    expect(form).to_have_attribute("data-count", "8")
    page.locator(".form .masks").get_by_label("Units", exact=True).check()
    page.locator('[data-field="ratio"]').fill("0.5, 0.9")
    expect(page.locator('.form [data-found="warned"] li')).to_have_text(
        re.compile(r"^2 runs: units\(ratio=0.9\) hides all 16 patches")
    )
    page.locator('[data-field="shared"]').fill("steps=x")
    expect(page.get_by_role("button", name="Start the sweep")).to_be_disabled()
    expect(page.locator(".outcome")).to_contain_text("must be a whole number")
    said = "block(ratio=0.75) is watched"
    trained[3].append(ALERTS, {"kind": "mask", "sentence": said})
    card.get_by_role("link", name="Open the matrix").click()

    cells = page.locator("[data-cell]")
    expect(cells).to_have_count(4)
    expect(page.locator('[data-made="true"]')).to_have_count(4)
    score = trained[3].evaluations()[0]["accuracy"]
    expect(page.locator('[data-cell="1,1"]')).to_contain_text(f"{100 * score:.1f}%")
    expect(page.locator("[data-cell] img")).to_have_count(4)
    expect(page.locator('[data-found="warned"] li')).to_have_text(f"block 0.75: {said}")
    expect(page.locator("td.warned")).to_have_attribute("data-cell", "1,1")
    expect(page.locator('[data-table="differing"] [data-key="knn"] th')).to_have_text("k-NN")
    page.get_by_label("down", exact=True).select_option("ratio")
    expect(page.locator('[data-table="matrix"] thead')).to_contain_text("ratio \\ mask")
    page.locator('[data-cell="1,0"] a').click()  # ratio 0.75, mask random
    expect(page).to_have_url(re.compile(re.escape(f"/runs?run={trained[1].id}")))


def test_runs_are_chosen_by_search_and_tick_on_a_phone(
    trained: Sweep, visit: Callable[..., Page]
) -> None:
    page = visit("compare", PHONE)
    page.get_by_label("Search runs").fill("mask=block")
    boxes = page.get_by_label("Runs", exact=True).get_by_role("checkbox")
    expect(boxes).to_have_count(2)
    boxes.first.check()
    expect(page.locator('[data-section="differing"]')).to_contain_text("differs in nothing")
    boxes.last.check()
    expect(page.locator("[data-line]")).to_have_count(2)
    expect(page).to_have_url(re.compile(r"runs=.+,.+"))
    wide = page.evaluate("document.scrollingElement.scrollWidth")
    assert wide <= PHONE["width"]  # nothing makes the whole page wider than the phone
    page.get_by_role("button", name=re.compile("Leave out")).first.click()
    expect(page.locator("[data-line]")).to_have_count(1)
    page.goto(page.url.split("?")[0] + "?runs=nowhere")
    expect(page.get_by_role("alert")).to_contain_text("No run is called 'nowhere'")
