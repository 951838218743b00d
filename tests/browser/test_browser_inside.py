"""Inside a network in a real browser: a patch asks, a head is switched off, and on again."""

import re
from collections.abc import Callable
from typing import Any

import timm
from playwright.sync_api import Page, expect

from tests.browser.visitor import PHONE, SLOW, png, upload
from tests.interventions.subjects import scramble
from workbench.models import network_of, save_network


def seen(page: Page, mark: str) -> None:
    found = page.locator(".wb[data-mark*='InsideSpec']")
    expect(found).to_have_attribute("data-mark", re.compile(re.escape(mark)), timeout=SLOW)


def test_a_head_is_isolated_switched_off_and_on_again(visit: Callable[..., Page]) -> None:
    page = visit("inside?photo=coffee&layer=99")
    seen(page, "photo='coffee'")
    expect(page.locator("[data-cell]")).to_have_count(36)
    now, said = page.locator("[data-now]"), page.locator("[data-said]")
    expect(now).to_have_text("Rollout of all layers: what the class token reads")
    page.locator('[data-cell="4-1"]').hover()
    expect(now).to_have_text("Layer 4, head 1: what the class token reads")
    page.locator('[data-cell="3-0"]').click()
    page.get_by_role("button", name="Head 3.0 off").click()
    expect(page.locator(".chip")).to_contain_text("heads_off(layer=3, heads=[0])")
    expect(said).to_contain_text(re.compile(r"The answer moved by 0\.0*[1-9]"))
    page.get_by_text("What changed").click()
    expect(now).to_have_text("Layer 3, head 0: change of what the class token reads")
    page.locator(".stage").click(position={"x": 5, "y": 5})
    seen(page, "query=0")
    expect(now).to_contain_text("what patch 0 reads")
    expect(page).to_have_url(re.compile("change=heads_off.*query=0.*layer=3.*show=change"))
    page.get_by_label("Over all layers").select_option("relevance")
    expect(now).to_have_text(re.compile("^Relevance for the answer: change of what counts through"))
    page.locator('[data-cell="3-0"]').click()
    address = page.url
    field = page.get_by_label("Intervention", exact=True)
    field.fill("heads_off(layer=40)")
    field.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="has 12 blocks")).to_be_visible(timeout=SLOW)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".chip")).to_have_count(1)
    page.get_by_role("button", name="Undo").click()
    expect(said).to_contain_text("Unchanged network")
    page.goto(address)
    seen(
        page,
        "change='heads_off(layer=3, heads=[0])', query=0, layer=3, head=0, show='change', scale",
    )


def test_an_own_photo_an_own_checkpoint_and_a_mask_on_a_phone(
    visit: Callable[..., Page], app_server: Any
) -> None:
    name, labels = "vit_tiny_patch16_224", ("cat", "dog", "hat")
    model = scramble(timm.create_model(name, img_size=(32, 48), num_classes=3))
    save_network(network_of(model), app_server.home / "models" / "my-vit", name, labels)
    page = visit("inside?network=my-vit&masked=1&mask=random(ratio%3D0.5)", viewport=PHONE)
    seen(page, "mask='random(ratio=0.5)'")
    expect(page.locator("[data-cell]")).to_have_count(36)
    expect(page.locator("[data-said]")).to_contain_text("The answer moved by")
    expect(page.get_by_role("row", name=re.compile("^cat"))).to_be_visible()
    upload(page, png(3))
    seen(page, "photo='upload-")
    page.get_by_text("Decoder", exact=True).click()
    expect(page.get_by_role("alert").filter(has_text="has no decoder")).to_be_visible(timeout=SLOW)
    main = page.locator('[data-testid="stMain"]')
    assert main.evaluate("node => node.scrollWidth") <= PHONE["width"]
    page.goto(page.url.replace("network=my-vit", "network=no-such"))
    expect(page.get_by_text("No network here is called no-such; choose one.")).to_be_visible()
