"""Weights in a real browser: an own checkpoint thinned out and saved, merged, a link on a phone."""

import re
from collections.abc import Callable
from typing import Any

import timm
import torch
from playwright.sync_api import Page, expect

from tests.browser.visitor import PHONE, SLOW, clipboard
from workbench.models import network_of, save_network

DIGITS = tuple("0123456789")


def test_an_own_checkpoint_is_thinned_out_saved_and_merged(
    visit: Callable[..., Page], app_server: Any
) -> None:
    folder = app_server.home / "models"
    for seed, name in enumerate(("my-first", "my-second")):
        torch.manual_seed(seed)
        made = timm.create_model("test_resnet", num_classes=10)
        made.pretrained_cfg = {**made.pretrained_cfg, "input_size": (3, 32, 32)}
        save_network(network_of(made), folder / name, "test_resnet", DIGITS)
    page = visit("weights?network=my-first&count=50&ways=magnitude;random&m_b=my-second")
    done = page.locator('.wb[data-recipe="magnitude(ratio=0.5)"]')
    expect(done).to_be_visible(timeout=SLOW)
    expect(page.locator('[data-found="words"]')).to_contain_text("weights are hidden (50.0%)")
    layer = page.locator("[data-layer]").first
    layer.click()
    expect(page.locator(".large canvas")).to_be_visible()
    page.get_by_label("Save as", exact=True).fill("my-sparse")
    page.get_by_label("Save as", exact=True).press("Enter")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved as my-sparse, among your networks.")).to_be_visible()
    assert (folder / "my-sparse" / "model.safetensors").is_file()
    page.get_by_role("button", name="Measure", exact=True).click()
    expect(page.locator(".linechart polyline")).to_have_count(2, timeout=SLOW)
    expect(page.get_by_text(re.compile("^Done: 18 points"))).to_be_visible(timeout=SLOW)
    page.get_by_role("button", name="Merge", exact=True).click()
    expect(page.get_by_role("row", name=re.compile("^Merged"))).to_be_visible(timeout=SLOW)
    page.get_by_role("button", name="Find the subspace").click()
    expect(page.locator("[data-gates]")).to_contain_text("dimensions stay open", timeout=SLOW)
    expect(page).to_have_url(re.compile("layer=.*curve=1.*m_merged=1.*m_gated=1"))
    page.get_by_role("button", name="Copy as command").click()
    expect(page.get_by_text("The command is copied.")).to_be_visible()
    hide, curve, merge, pair = clipboard(page).splitlines()
    assert hide.startswith("python -m workbench weights hide 'magnitude(ratio=0.5)' --model my-fi")
    assert " weights curve " in curve and "--ways 'magnitude; random' --count 50" in curve
    assert " weights merge my-first my-second --base '' --how add" in merge
    assert " weights shared my-first 0 1 --on classes --price 0.02" in pair
    page.set_viewport_size(PHONE)
    page.goto(page.url)
    expect(done).to_be_visible(timeout=SLOW)
    expect(page.locator(".large canvas")).to_be_visible(timeout=SLOW)
    expect(page.get_by_role("row", name=re.compile("^Merged"))).to_be_visible(timeout=SLOW)
    expect(page.locator("[data-gates]")).to_contain_text("dimensions stay open", timeout=SLOW)
    main = page.locator('[data-testid="stMain"]')
    assert main.evaluate("node => node.scrollWidth") <= PHONE["width"]
    page.goto(page.url.replace("network=my-first", "network=no-such"))
    expect(page.get_by_text("is no network here")).to_be_visible(timeout=SLOW)
