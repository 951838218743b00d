"""What the browser tests complain of: all that a page says, but for its last words."""

from playwright.sync_api import Page

from tests.browser.visitor import watch

LAST_WORDS = "addEventListener('beforeunload', () => console.error('the stream is gone'))"


def test_a_page_that_stays_is_complained_of_and_one_that_is_left_is_not(page: Page) -> None:
    complaints: list[str] = []
    watch(page, "data:", complaints)
    page.goto("data:text/html,one")
    page.evaluate(LAST_WORDS)
    page.evaluate("console.error('it failed')")
    page.reload()
    with page.expect_event("pageerror"):
        page.evaluate("setTimeout(() => { throw new Error('it broke') })")
    assert complaints == ["console: it failed", "page: it broke"]


def test_one_that_was_to_be_left_and_stayed_is_complained_of(page: Page) -> None:
    complaints: list[str] = []
    watch(page, "data:", complaints)
    page.goto("data:text/html,one")
    page.evaluate(LAST_WORDS)
    with page.expect_console_message(lambda said: said.type == "error"):
        page.evaluate("dispatchEvent(new Event('beforeunload'))")
    page.evaluate("history.replaceState(null, '', '#two')")
    assert complaints == ["console: the stream is gone"]
