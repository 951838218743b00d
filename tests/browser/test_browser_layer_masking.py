"""Layer masking in a real browser: an own photo and checkpoint, cells pressed, curves, a link."""

import re
from collections.abc import Callable
from typing import Any

import timm
import torch
from playwright.sync_api import Page, expect

from tests.browser.visitor import PHONE, SLOW, png, upload
from workbench.models import network_of, save_network

WAYS = ["whole", "grey", "black", "blur", "neighbour", "layer_mask"]


def seen(page: Page, mark: str) -> None:
    found = page.locator(".wb[data-mark*='LayerMaskingSpec']")
    expect(found).to_have_attribute("data-mark", re.compile(re.escape(mark)), timeout=SLOW)


def test_an_own_classifier_with_parts_missing_by_every_way(
    visit: Callable[..., Page], app_server: Any
) -> None:
    torch.manual_seed(0)
    made = timm.create_model("test_resnet", num_classes=3)
    made.pretrained_cfg = {**made.pretrained_cfg, "input_size": (3, 64, 64)}
    home = app_server.home / "models" / "my-convnet"
    save_network(network_of(made), home, "test_resnet", ("cat", "dog", "hat"))
    page = visit("layer_masking?network=my-convnet&mask=random(ratio%3D0.5)")
    seen(page, "mask='random(ratio=0.5)'")
    upload(page, png(4))
    seen(page, "photo='upload-")
    for way in WAYS:
        said = page.locator(f'[data-way="{way}"] [data-said]')
        expect(said).to_have_text(re.compile("cat|dog|hat"))
    stage = page.get_by_role("article").first.locator(".stage")
    box = stage.bounding_box()
    assert box is not None
    stage.click(position={"x": box["width"] / 16, "y": box["height"] / 16})
    seen(page, "painted(hide=")
    page.get_by_text("only visible", exact=True).click()
    seen(page, "policy='all'")
    expect(page.locator('[data-layer^="layer_mask"]').first).to_be_visible()
    page.get_by_role("button", name="Measure", exact=True).click()
    expect(page.locator(".linechart")).to_have_count(3, timeout=SLOW)
    page.get_by_label("What is drawn").select_option("class_entropy")
    done = page.get_by_text(re.compile("^Done: 90 points"))
    expect(done).to_be_visible(timeout=SLOW)
    expect(page.locator('[data-classes="layer_mask"] tbody tr').first).to_be_visible()
    expect(page).to_have_url(re.compile("policy=all.*measure=class_entropy&curves=1"))
    page.set_viewport_size(PHONE)
    page.goto(page.url)
    seen(page, "policy='all'")
    expect(done).to_be_visible(timeout=SLOW)
    expect(page.get_by_label("What is drawn")).to_have_value("class_entropy")
    page.get_by_role("button", name="Does the shape give itself away?").click()
    expect(page.locator("[data-leak]")).to_contain_text("chance is 10%", timeout=SLOW)
    main = page.locator('[data-testid="stMain"]')
    assert main.evaluate("node => node.scrollWidth") <= PHONE["width"]
    page.goto(page.url.replace("network=my-convnet", "network=no-such"))
    expect(page.get_by_text("is no network here")).to_be_visible()
