"""Pages of the dashboard, each in a browser context of its own and watched."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.visitor import LAPTOP, SLOW, watch


@pytest.fixture
def visit(browser: Browser, app_server: Any) -> Iterator[Callable[..., Page]]:
    """`visit("?seed=3")` opens a page in a browser context of its own, and watches it."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def go(query: str = "", viewport: dict[str, int] = LAPTOP, **options: Any) -> Page:
        context = browser.new_context(viewport=viewport, accept_downloads=True, **options)
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=app_server.url)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(SLOW)
        watch(page, app_server.url, complaints)
        page.goto(f"{app_server.url}/{query}")
        return page

    yield go
    for context in contexts:
        context.close()
    assert complaints == []
