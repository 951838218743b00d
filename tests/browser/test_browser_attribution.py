"""Attribution in a real browser: an own photo and network, two methods, judged, linked."""

import io
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import timm
from playwright.sync_api import Page, expect

from tests.browser.visitor import PHONE, SLOW, clipboard, png, upload
from tests.interventions.subjects import scramble
from workbench.models import network_of, save_network

NAME, LABELS = "vit_tiny_patch16_224", ("cat", "dog", "hat")


def done(page: Page, mark: str, state: str = "done") -> None:
    """Wait until the work for a view that holds `mark` has ended."""
    found = page.locator(".wb[data-mark*='AttributionSpec']")
    expect(found).to_have_attribute("data-mark", re.compile(re.escape(mark)), timeout=SLOW)
    expect(found).to_have_attribute("data-state", state, timeout=SLOW)


def test_maps_of_an_own_network_are_judged_stopped_and_restored_by_a_link(
    visit: Callable[..., Page], app_server: Any
) -> None:
    model = scramble(timm.create_model(NAME, img_size=(64, 64), num_classes=3, depth=3))
    folder = app_server.home / "models" / "why-vit"
    save_network(network_of(model), folder, NAME, LABELS, {"depth": 3})
    page = visit("attribution?network=why-vit&methods=relevance();occlusion(window%3D2)&draws=1")
    done(page, "network='why-vit'")
    upload(page, png(5))
    done(page, "photo='upload-")
    page.locator(".chips button").get_by_text("cat").click()
    done(page, "target='0'")
    now = page.locator("[data-now]")
    expect(page.locator("[data-tile][data-made]")).to_have_count(2)
    page.locator('[data-tile="0 occlusion(window=2)"]').click()
    expect(now).to_have_text(re.compile(r"^Occlusion \(window=2\) for cat \(\d"))
    page.locator('[data-tile="0 relevance()"]').hover()
    expect(now).to_have_text(re.compile(r"^Relevance \(Chefer\) for cat"))
    page.get_by_role("button", name="Judge these maps").click()
    done(page, "judge=True")
    marks = page.locator("[data-marks] tbody tr")
    expect(marks).to_have_count(4)
    expect(marks.nth(1)).to_have_text(re.compile(r"^Occlusion \(window=2\)(\d\.\d{3}){6,7}"))
    expect(marks.nth(2)).to_contain_text("Random map")
    expect(page.locator("[data-agreement]").first).to_contain_text("Attention")
    expect(page).to_have_url(re.compile("target=0.*judge=1.*only="))
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as npy").click()
    assert np.load(io.BytesIO(saved.value.path().read_bytes())).shape == (4, 4)
    page.get_by_role("button", name="Copy as command").click()
    expect(page.get_by_text("The command is copied.")).to_be_visible()
    assert "--model why-vit --method 'relevance(); occlusion(window=2)'" in clipboard(page)

    other = visit(page.url.partition(app_server.url)[2].lstrip("/"), viewport=PHONE)
    done(other, "judge=True")
    expect(other.locator("[data-now]")).to_have_text(re.compile(r"^Occlusion \(window=2\) for cat"))
    expect(other.locator("[data-marks] tbody tr")).to_have_count(4)
    main = other.locator('[data-testid="stMain"]')
    assert main.evaluate("node => node.scrollWidth") <= PHONE["width"]

    page.goto(f"{app_server.url}/attribution?network=why-vit&methods=rise(count%3D90000)")
    page.get_by_role("button", name="Cancel").click()
    done(page, "rise(count=90000)", "cancelled")
    expect(page.get_by_text("Cancelled.", exact=True)).to_be_visible()
    page.get_by_role("button", name="Go on").click()
    done(page, "rise(count=90000)", "running")
    page.goto(f"{app_server.url}/attribution?network=no-such&methods=guess()")
    expect(page.get_by_text(re.compile("No network here is called 'no-such'"))).to_be_visible()
    done(page, "network='cifar10_vit'")
