"""Features in a real browser: learnt, seen on an own photo, heads and facets, a link, a stop."""

import io
import json
import re
from collections.abc import Callable
from typing import Any

import timm
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.visitor import PHONE, SLOW, clipboard, png, upload
from tests.interventions.subjects import scramble
from workbench.models import network_of, save_network

NAME, LABELS, ARGUMENTS = "vit_tiny_patch16_224", ("cat", "dog", "hat"), {"depth": 3}
SMALL = "network=feat-vit&layer=1&data=digits()&count=20&expansion=1&active=4&steps=30&batch=64"
LOOK = "pairs=4&facets=2&climb=6&photo=coffee&mask=block(ratio%3D0.4)"


def seen(page: Page, mark: str) -> None:
    found = page.locator(".wb[data-mark*='FeaturesSpec']")
    expect(found).to_have_attribute("data-mark", re.compile(re.escape(mark)), timeout=SLOW)


def test_features_are_learnt_looked_at_ranked_and_restored_by_a_link(
    visit: Callable[..., Page], app_server: Any
) -> None:
    model = scramble(timm.create_model(NAME, img_size=64, num_classes=3, **ARGUMENTS))
    folder = app_server.home / "models" / "feat-vit"
    save_network(network_of(model), folder, NAME, LABELS, ARGUMENTS)
    page = visit(f"features?{SMALL}&{LOOK}")
    page.get_by_role("button", name="Learn the features").click()
    rows = page.locator("button[data-latent]")
    expect(rows.nth(5)).to_be_visible(timeout=SLOW)
    expect(page.locator("[data-said]")).to_contain_text("of the variance and keep")
    chosen = rows.nth(5).get_attribute("data-latent")
    rows.nth(5).click()
    expect(page.locator("[data-feature]")).to_have_text(f"Feature {chosen}")
    seen(page, f"latent={chosen}")
    upload(page, png(6))
    seen(page, "photo='upload-")
    page.get_by_text("By my mask", exact=True).click()
    seen(page, "order='mask'")
    expect(rows.first.locator("img").first).to_have_js_property("naturalWidth", 64)
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as JSON").click()
    record = json.loads(saved.value.path().read_text())
    first = int(rows.first.get_attribute("data-latent") or -1)
    assert record["shown"][0]["latent"] == first and record["pictures"] == 20
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as PNG").first.click()
    assert Image.open(io.BytesIO(saved.value.path().read_bytes())).height > 180
    page.get_by_role("button", name="Rank the heads").click()
    expect(page.locator("[data-heads]")).to_contain_text("number of 4 pictures", timeout=SLOW)
    expect(page.locator("td a").first).to_have_attribute("href", re.compile("^/inside.*&head="))
    page.get_by_role("button", name="Draw the facets").click()
    ended = page.get_by_text("climbed", exact=True)
    expect(ended).to_have_count(2, timeout=SLOW)
    expect(page).to_have_url(re.compile("learnt=1&ranked=1&faceted=1"))
    page.get_by_role("button", name="Copy as command").click()
    expect(page.get_by_text("The command is copied.")).to_be_visible()
    assert f"features facets latent:{chosen} --out" in clipboard(page)

    page.set_viewport_size(PHONE)
    page.goto(page.url)
    expect(page.locator("[data-feature]")).to_have_text(f"Feature {chosen}", timeout=SLOW)
    expect(page.locator("[data-heads]")).to_contain_text("number of 4 pictures", timeout=SLOW)
    expect(ended).to_have_count(2, timeout=SLOW)
    main = page.locator('[data-testid="stMain"]')
    assert main.evaluate("node => node.scrollWidth") <= PHONE["width"]

    more = SMALL.replace("steps=30", "steps=20000")
    page.goto(f"{app_server.url}/features?{more}&learnt=1&data=folder(path%3D%22/etc%22)&layer=x")
    expect(page.get_by_text(re.compile("Layer is 'x', wanted"))).to_be_visible(timeout=SLOW)
    page.get_by_role("button", name="Cancel").first.click()
    expect(page.get_by_text(re.compile("^Cancelled after"))).to_be_visible(timeout=SLOW)
