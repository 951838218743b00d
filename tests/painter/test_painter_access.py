"""The painter by keyboard, by touch and pen, on a phone, in the dark and for a screen reader."""

import re

import pytest
from playwright.sync_api import expect

PRESSED = re.compile("true")


def test_the_keyboard_moves_toggles_and_paints(hands, tools):
    hands.mount(base=tools.bits({(row, 4) for row in range(12)}))
    expect(hands.control("cursor")).to_be_hidden()
    hands.canvas.focus()
    for key in ["ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight"]:
        hands.page.keyboard.press(key)
    live = hands.control("live")
    expect(hands.control("cursor")).to_be_visible()
    expect(live).to_have_text("row 3, column 5 hidden; 12 of 144 hidden")
    hands.page.keyboard.press("Space")
    expect(live).to_have_text("row 3, column 5 visible; 11 of 144 hidden")
    assert tools.cells(hands.last["show"], (12, 12)) == {(2, 4)}
    hands.page.keyboard.press("ArrowRight")
    hands.page.keyboard.press("Space")
    expect(live).to_have_text("row 3, column 6 hidden; 12 of 144 hidden")
    assert tools.cells(hands.last["hide"], (12, 12)) == {(2, 5)}
    hands.page.keyboard.down("Shift")
    for _ in range(3):
        hands.page.keyboard.press("ArrowDown")
    assert len(hands.commits) == 2
    hands.page.keyboard.up("Shift")
    assert len(hands.commits) == 3
    assert tools.cells(hands.last["hide"], (12, 12)) == {(row, 5) for row in range(2, 6)}
    hands.page.keyboard.press("Control+z")
    assert tools.cells(hands.last["hide"], (12, 12)) == {(2, 5)}


def test_the_cursor_stops_at_the_edges(hands):
    hands.mount((3, 5)).canvas.focus()
    for key in ["ArrowUp", "ArrowLeft", "End", "ArrowRight", *["ArrowDown"] * 5]:
        hands.page.keyboard.press(key)
    assert hands.snapshot["place"] == {"row": 2, "col": 4}
    hands.page.keyboard.press("Home")
    expect(hands.control("live")).to_have_text("row 3, column 1 visible; 0 of 15 hidden")


def test_letters_choose_tools_and_sizes(hands):
    hands.mount().canvas.focus()
    keys = "ebrrxbx"
    chosen = "eraser brush rectangle-hide rectangle-show rectangle-hide brush eraser".split()
    for key, name in zip(keys, chosen, strict=True):
        hands.page.keyboard.press(key)
        expect(hands.control(name)).to_have_attribute("aria-pressed", PRESSED)
    size = hands.control("size")
    before = float(size.input_value())
    hands.page.keyboard.press("]")
    expect(size).not_to_have_value(str(before))
    assert float(size.input_value()) == pytest.approx(before * 1.25, rel=0.06)
    hands.page.keyboard.press("[")
    hands.page.keyboard.press("[")
    expect(size).to_have_attribute("aria-valuetext", re.compile("0.8 patches"))


def test_the_host_never_hears_the_painters_keys(hands):
    hands.mount()
    hands.page.evaluate(
        "window.heard = []; document.addEventListener('keydown', e => window.heard.push(e.key))"
    )
    hands.canvas.focus()
    for key in ["x", "b", "r", "c", "d", "Space", "ArrowDown", "Control+z", "["]:
        hands.page.keyboard.press(key)
    assert set(hands.page.evaluate("window.heard")) <= {"Control"}
    hands.page.keyboard.press("Tab")
    assert "Tab" in hands.page.evaluate("window.heard")


def test_escape_gives_up_a_stroke(hands):
    hands.mount()
    hands.press(3.5, 2.5)
    hands.move(3.5, 8.5)
    hands.canvas.press("Escape")
    hands.move(6.5, 8.5)
    hands.release()
    assert hands.hidden == set()
    assert hands.commits == []


def touch(hands, *places):
    """A finger on the glass, through the browser's own input pipeline."""
    devtools = hands.page.context.new_cdp_session(hands.page)

    def send(kind, *points):
        where = [{"x": x, "y": y, "id": 1} for x, y in points]
        devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": where})

    send("touchStart", hands.spot(*places[0]))
    for place in places[1:]:
        send("touchMove", hands.spot(*place))
    send("touchEnd")


@pytest.fixture
def browser_context_args(browser_context_args, request):
    return {**browser_context_args, **getattr(request, "param", {})}


PHONE = {"viewport": {"width": 380, "height": 720}, "has_touch": True, "device_scale_factor": 3}


@pytest.mark.parametrize("browser_context_args", [PHONE], indirect=True)
def test_a_finger_paints_and_the_page_stays(hands):
    hands.mount()
    hands.page.evaluate("document.body.style.height = '3000px'")
    hands.canvas.scroll_into_view_if_needed()
    before = hands.page.evaluate("window.scrollY")
    touch(hands, (2.5, 4.5), (5.5, 4.5), (9.5, 4.5))
    assert hands.hidden == {(row, 4) for row in range(2, 10)}
    assert len(hands.commits) == 1
    assert hands.page.evaluate("window.scrollY") == before
    touch(hands, (0.5, 11.5))
    assert (0, 11) in hands.hidden
    touch_action = "node => getComputedStyle(node).touchAction"
    assert hands.canvas.evaluate(touch_action) == "none"
    assert hands.page.get_by_test_id("patch-painter").evaluate(touch_action) == "auto"


def test_a_pen_paints_and_its_other_end_erases(hands, tools):
    hands.mount(base=tools.bits({(7, 7)}))
    devtools = hands.page.context.new_cdp_session(hands.page)
    (x, y), (x2, _) = hands.spot(4.5, 2.5), hands.spot(4.5, 6.5)
    for kind, at in [("mousePressed", x), ("mouseMoved", x2), ("mouseReleased", x2)]:
        event = {"type": kind, "x": at, "y": y, "button": "left", "pointerType": "pen"}
        devtools.send("Input.dispatchMouseEvent", {**event, "buttons": 1, "clickCount": 1})
    assert hands.hidden == {(7, 7)} | {(4, col) for col in range(2, 7)}
    x, y = hands.spot(7.5, 7.5)
    for kind in ("pointerdown", "pointerup"):
        common = {"pointerType": "pen", "isPrimary": True, "pointerId": 9, "button": 5}
        hands.canvas.dispatch_event(kind, {**common, "clientX": x, "clientY": y})
    assert (7, 7) not in hands.hidden


def test_a_second_finger_and_other_buttons_do_not_paint(hands):
    hands.mount()
    x, y = hands.spot(4.5, 2.5)
    for extra in ({"isPrimary": False, "button": 0}, {"isPrimary": True, "button": 2}):
        hands.canvas.dispatch_event("pointerdown", {"clientX": x, "clientY": y, **extra})
    assert hands.hidden == set()


def test_a_cancelled_pointer_keeps_what_was_painted(hands):
    hands.mount()
    hands.press(3.5, 2.5)
    hands.move(3.5, 5.5)
    hands.canvas.dispatch_event("pointercancel", {"pointerId": 1})
    assert hands.hidden == {(3, col) for col in range(2, 6)}
    hands.move(3.5, 9.5)
    hands.release()
    assert len(hands.commits) == 1
    hands.control("undo").click()
    assert hands.hidden == set()


@pytest.mark.parametrize("browser_context_args", [PHONE], indirect=True)
def test_a_phone_shows_all_controls_large_enough(hands):
    hands.mount()
    hands.page.get_by_text("Keyboard").click()
    assert hands.page.evaluate("document.documentElement.scrollWidth") <= 380
    buttons = hands.page.locator("#root :is(button, input, summary)").all()
    assert len(buttons) == 4 + 4 + 3 + 4 + 1
    for each in buttons:
        box = each.bounding_box()
        assert box["width"] >= 32
        assert box["height"] >= 32
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 380


@pytest.mark.parametrize("browser_context_args", [PHONE], indirect=True)
def test_the_canvas_has_the_screens_own_pixels(hands):
    hands.mount()
    hands.drawn(0, 0)
    size = "canvas => [canvas.width / canvas.clientWidth, canvas.height / canvas.clientHeight]"
    assert hands.canvas.evaluate(size) == pytest.approx([3, 3], abs=0.02)


@pytest.mark.parametrize(
    "browser_context_args", [{"color_scheme": c} for c in ("light", "dark")], indirect=True
)
def test_text_stands_out_in_light_and_dark(hands):
    hands.mount()
    for part in (".pp-count", ".pp-legend", ".pp-slider output", ".pp-button[aria-pressed=true]"):
        text, ground = hands.page.evaluate(
            "part => { const read = (css) => { const ink = new OffscreenCanvas(1, 1)"
            ".getContext('2d', { willReadFrequently: true }); ink.fillStyle = css;"
            " ink.fillRect(0, 0, 1, 1); return [...ink.getImageData(0, 0, 1, 1).data]; };"
            " const node = document.querySelector(part), box = document.querySelector('.pp');"
            " const probe = document.createElement('i'); probe.style.background ="
            " node.matches('button') ? 'color-mix(in srgb, var(--pp-accent) 14%, var(--pp-ground))'"
            " : 'var(--pp-ground)'; box.append(probe);"
            " const ground = getComputedStyle(probe).backgroundColor; probe.remove();"
            " return [read(getComputedStyle(node).color), read(ground)]; }",
            part,
        )
        assert contrast(text, ground) >= 4.5, part


def contrast(one, other):
    """WCAG 2 contrast ratio of two colours given as 0 to 255."""

    def light(colour):
        parts = [c / 255 for c in colour[:3]]
        parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), parts, strict=True))

    high, low = sorted([light(one), light(other)], reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_everything_has_a_name(hands):
    hands.mount()
    hands.drawn(0, 0)
    assert hands.canvas.get_attribute("role") == "application"
    assert hands.canvas.get_attribute("aria-label").startswith("test picture, 12 rows")
    assert hands.control("live").get_attribute("aria-live") == "polite"
    for each in hands.page.locator("#root :is(button, input)").all():
        assert each.get_attribute("aria-label")
        assert each.get_attribute("data-testid").startswith("painter-")


def test_the_overlay_colour_and_opacity_change_what_is_drawn(hands):
    hands.mount(base="1" * 144)

    def pixel():
        hands.drawn(0, 0)
        return hands.canvas.evaluate(
            "c => [...c.getContext('2d').getImageData(c.width / 24, c.height / 24, 1, 1).data]"
        )

    dark = pixel()
    hands.control("colour-paper").click()
    light = pixel()
    assert max(dark[:3]) < 60
    assert min(light[:3]) > 200
    hands.slide("opacity", 0.3)
    assert pixel()[3] == pytest.approx(0.3 * 255, abs=2)
    assert hands.commits == []
