"""Train and Runs in a real browser: a real run from the form to its score, and a hostile name."""

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.visitor import PHONE, SLOW, Line, clipboard, drawn
from workbench.runs import RunStore, cancel

HOSTILE = '<script>document.title="owned"</script>; rm -rf ~ "><img src=x onerror=alert(1)> 🦊'
OWN = {"x-workbench": "runs"}


@pytest.fixture(autouse=True)
def no_run_stays(app_server: Any) -> Iterator[None]:
    yield
    for run in RunStore(app_server.home / "runs"):
        cancel(run, now=True)


def step_of(page: Page) -> int:
    return int(page.locator("[data-fact=step]").inner_text().split(" of ")[0].replace("\u202f", ""))


def step_beyond(page: Page, step: int) -> int:
    """Wait until the page shows a later step, without a reload; returns it."""
    page.wait_for_function(
        "([node, step]) => parseInt(node.textContent.replaceAll('\\u202f', '')) > step",
        arg=[page.locator("[data-fact=step]").element_handle(), step],
        timeout=SLOW,
    )
    return step_of(page)


def state_is(page: Page, state: str) -> None:
    expect(page.locator(".head .chip")).to_have_text(state, timeout=SLOW)


def number(page: Page, name: str, value: str) -> None:
    field = page.locator(f'[data-knob={name}] input[type="number"]')
    field.fill(value)
    field.press("Enter")


def command(page: Page) -> Locator:
    return page.locator("[data-found=command]")


def filled_in(page: Page) -> None:
    """Choose the small preset, with enough steps to be stopped, and look at the reasons."""
    menu = page.locator("[data-menu=preset] select")
    expect(menu).to_have_value("cifar10_mae_tiny", timeout=SLOW)
    mask = page.locator("[data-menu=mask]")
    expect(mask.locator("option[value=band]")).to_be_disabled()
    mask.locator("summary").click()
    expect(mask.locator("li").filter(has_text="band hides another number")).to_be_visible()
    menu.select_option("digits_mae_tiny")
    expect(page.locator("[data-menu=data] select")).to_have_value("digits", timeout=SLOW)
    number(page, "steps", "50000")
    expect(command(page)).to_contain_text("steps=50000", timeout=SLOW)
    page.get_by_text("All other knobs").click()
    for knob in ("save_every", "picture_every"):
        number(page, knob, "20")
        expect(command(page)).to_contain_text(f"{knob}=20", timeout=SLOW)
    expect(command(page)).to_have_text(
        "python -m workbench train digits_mae_tiny steps=50000 seed=3 save_every=20 "
        "picture_every=20"
    )
    expect(page).to_have_url(re.compile("preset=digits_mae_tiny.*picture_every=20"))


def watched(page: Page) -> None:
    """See steps, curve and pictures come without a reload."""
    state_is(page, "running")
    first = step_beyond(page, 0)
    expect(page.locator('.strip img[alt="reconstruction"]')).to_be_visible(timeout=SLOW)
    line = page.locator(".chart .line")
    expect(line).to_have_attribute("d", re.compile("L"), timeout=SLOW)
    page.evaluate("document.documentElement.dataset.same = 'yes'")
    step_beyond(page, first)
    newest = page.locator("[data-found=picture]")
    expect(newest).to_contain_text(re.compile("Step [1-9]"), timeout=SLOW)
    assert page.evaluate("document.documentElement.dataset.same") == "yes"


def stopped_and_resumed(page: Page) -> None:
    """Stop after a checkpoint, go on from that very step, stop now."""
    page.get_by_role("button", name="Stop after a checkpoint").click()
    state_is(page, "cancelled")
    told = page.locator("[data-found=told]")
    expect(told).to_have_text(re.compile(r"Resuming goes on after step \d+\."), timeout=SLOW)
    kept = int(re.findall(r"step (\d+)", told.inner_text())[-1])
    page.get_by_role("button", name="Resume").click()
    state_is(page, "running")
    log = page.locator("[data-found=log]")
    expect(log).to_contain_text(f"goes on after step {kept}", timeout=SLOW)
    step_beyond(page, kept)
    stop_now(page)


def stop_now(page: Page) -> None:
    page.get_by_role("button", name="Stop now").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Stop now").click()
    state_is(page, "cancelled")


def test_a_run_from_the_form_to_its_score(visit: Callable[..., Page]) -> None:
    page = visit("train?preset=cifar10_mae_tiny&save_every=20&picture_every=20&seed=3")
    filled_in(page)
    page.get_by_role("button", name="Check what it takes").click()
    card = page.locator(".card")
    expect(card.get_by_text("Measured with this form")).to_be_visible(timeout=SLOW)
    expect(card).to_contain_text("1\u202f438 pictures")
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_url(re.compile("/runs[?]run=digits_mae_tiny-"), timeout=SLOW)
    watched(page)
    stopped_and_resumed(page)

    page.get_by_role("button", name="Evaluate").click()
    for protocol in ("knn", "linear_probe"):
        row = page.locator(f'tr[data-protocol="{protocol}"]')
        expect(row.locator("td").nth(3)).to_have_text(re.compile(r"\d% \("), timeout=SLOW)
        trained, chance = (
            float(row.locator("td").nth(at).inner_text().partition("%")[0]) for at in (2, 3)
        )
        assert 30 < trained <= 100 and 10 < chance <= 100  # of ten classes
    expect(page.locator("[data-found=judged]")).to_have_text("", timeout=SLOW)
    name = page.url.partition("run=")[2]
    page.get_by_role("navigation", name="Use its model").get_by_text("Reconstruct").click()
    assert f"run:{name}" in drawn(page, name)


def test_a_hostile_name_is_inert(visit: Callable[..., Page], app_server: Any) -> None:
    page = visit("train?preset=digits_mae_tiny", viewport=PHONE)
    page.on("dialog", lambda dialog: dialog.dismiss() or page.evaluate("owned = 1"))
    queue = f"{app_server.url}/api/runs/queue"
    assert page.request.post(queue, data={"paused": 1}).status == 403  # not from the page itself
    assert page.request.post(queue, data={"paused": 1}, headers=OWN).ok
    field = page.locator("[data-knob=name] input")
    expect(field).to_be_visible(timeout=SLOW)
    field.fill(HOSTILE)
    field.press("Enter")
    expect(command(page)).to_contain_text("img src", timeout=SLOW)
    page.get_by_role("button", name="Copy as command").click()
    expect(page.get_by_role("status").filter(has_text="command is copied")).to_be_visible()
    assert shlex.split(clipboard(page)) == [
        "python", "-m", "workbench", "train", "digits_mae_tiny", f"name={HOSTILE}"
    ]  # fmt: skip
    page.get_by_role("button", name="Start without a check").click()
    page.wait_for_url(re.compile("/runs[?]run="), timeout=SLOW)
    state_is(page, "queued")
    expect(page.locator(".head h3")).to_have_text(HOSTILE)
    expect(page.locator("[data-found=told]")).to_contain_text("queue is paused", timeout=SLOW)
    name = page.url.partition("run=")[2]
    assert re.fullmatch(r"digits_mae_tiny-[0-9a-f-]+", name)

    page.get_by_role("link", name="← All runs").click()
    page.get_by_label("Find runs").fill("rm -rf")
    link = page.locator(f'.run[data-run="{name}"] a').first
    expect(link).to_have_text(HOSTILE, timeout=SLOW)
    assert page.locator(".runs img[src=x], .runs script").count() == 0
    main = page.locator('[data-testid="stMain"]')
    assert main.evaluate("node => node.scrollWidth") <= PHONE["width"]
    expect(page.locator(".queue li")).to_contain_text(HOSTILE)
    page.get_by_label(f"Choose {HOSTILE}").check()
    page.get_by_role("button", name="Delete it").click()
    expect(page.get_by_role("alertdialog")).to_have_text(
        "One that waits or runs stays: stop it first.Keep"
    )
    page.get_by_role("button", name="Keep").click()
    link.focus()
    page.keyboard.press("Enter")
    stop_now(page)
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_role("button", name="Keep it")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Delete", exact=True)).to_be_focused()
    assert (app_server.home / "runs" / name).is_dir()
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name="Delete for good").click()
    expect(page.get_by_label("Find runs")).to_be_visible(timeout=SLOW)
    expect(page.locator(f'.run[data-run="{name}"]')).to_have_count(0, timeout=SLOW)
    assert not (app_server.home / "runs" / name).exists()
    page.get_by_role("button", name="Continue the queue").click()
    expect(page.locator(".queue")).to_be_hidden(timeout=SLOW)
    assert page.title() != "owned" and page.evaluate("typeof owned") == "undefined"


def paused(page: Page, app_server: Any, yes: int) -> None:
    address = f"{app_server.url}/api/runs/queue"
    assert page.request.post(address, data={"paused": yes}, headers=OWN).ok


def test_start_waits_for_what_was_just_typed(visit: Callable[..., Page], app_server: Any) -> None:
    page = visit()
    line = Line(page)
    page.goto(f"{app_server.url}/train?preset=digits_mae_tiny&steps=20")
    paused(page, app_server, 1)
    expect(command(page)).to_contain_text("steps=20", timeout=SLOW)
    line.hold = True
    number(page, "steps", "5000")
    page.locator("[data-knob=name] input").fill("typed last")
    start = page.get_by_role("button", name="Start without a check")
    start.click()
    expect(page.get_by_text("Waits until the server has")).to_be_visible()
    expect(start).to_be_disabled()
    line.release()
    page.wait_for_url(re.compile("/runs[?]run="), timeout=SLOW)
    run = RunStore(app_server.home / "runs").get(page.url.partition("run=")[2])
    assert (run.config.steps, run.config.name) == (5000, "typed last")

    page.goto(f"{app_server.url}/train?preset=digits_mae_tiny")
    expect(command(page)).to_be_visible(timeout=SLOW)
    number(page, "steps", "0")
    start.click()
    expect(page.get_by_text("cannot be taken; look at what it says there")).to_be_visible()
    expect(page.locator("[data-knob=steps] .problem")).to_contain_text("Steps is 0")
    paused(page, app_server, 0)


def test_a_check_ends_with_its_page_and_at_once_while_it_waits(
    visit: Callable[..., Page], app_server: Any
) -> None:
    query = "train?preset=digits_mae_tiny"
    first, second = visit(query), visit(query)
    expect(command(second)).to_be_visible(timeout=SLOW)
    with first.expect_response(re.compile("/api/runs/check$")) as began:
        first.get_by_role("button", name="Check what it takes").click()
    second.get_by_role("button", name="Check what it takes").click()
    expect(second.locator("[data-found=told]")).to_contain_text("Waits for another", timeout=SLOW)
    second.get_by_role("button", name="Cancel the check").click()
    expect(second.get_by_text("The check was cancelled.")).to_be_visible(timeout=2000)
    address = f"{app_server.url}/api/runs/check/{began.value.json()['mark']}"
    assert second.request.get(address).json()["state"] == "running"
    first.reload()
    for _ in range(50):
        if second.request.get(address).json()["state"] == "cancelled":
            break
        second.wait_for_timeout(100)
    else:
        raise AssertionError("the check of a page that is gone goes on")
    second.get_by_role("button", name="Check what it takes").click()
    expect(second.locator("[data-found=told]")).to_contain_text("Reads the data", timeout=SLOW)


def test_a_folder_that_is_not_there_closes_start(
    visit: Callable[..., Page], app_server: Any
) -> None:
    page = visit("train?preset=digits_mae_tiny&data=folder(path='nowhere/at%20all')")
    told = page.locator("[data-knob=path] .problem")
    expect(told).to_contain_text("there is no nowhere/at all", timeout=SLOW)
    start = page.get_by_role("button", name="Start without a check")
    expect(start).to_be_disabled()
    path = page.locator("[data-knob=path] input")
    path.fill(str(Path(__file__).parents[2] / "assets"))
    path.press("Enter")
    expect(told).to_be_hidden(timeout=SLOW)
    expect(start).to_be_enabled()
