"""What the painter takes from its host and when: a slow server must never touch the brush."""

import pytest
from playwright.sync_api import expect

EMPTY = "0" * 144


def row_of(row, first, last):
    return {(row, col) for col in range(first, last + 1)}


def test_an_old_echo_never_erases_the_brush(hands, tools):
    hands.mount(base=EMPTY)
    hands.drag((3.5, 2.5), (3.5, 8.5))
    hands.drag((6.5, 2.5), (6.5, 8.5))
    first = hands.commits[0]
    base = row_of(11, 0, 11)
    hands.update(base=tools.bits(base), **first)
    assert hands.hidden == base | row_of(3, 2, 8) | row_of(6, 2, 8)
    assert hands.snapshot["seq"] == 2
    hands.update(base=EMPTY, **hands.commits[1])
    assert hands.hidden == row_of(3, 2, 8) | row_of(6, 2, 8)
    hands.control("undo").click()
    assert hands.hidden == row_of(3, 2, 8)


def test_a_stroke_in_the_making_is_left_alone(hands, tools):
    hands.mount()
    hands.press(3.5, 2.5)
    hands.move(3.5, 5.5)
    base = row_of(9, 0, 3)
    hands.update(base=tools.bits(base), hide="1" * 144, show=EMPTY, seq=50, threshold=1)
    assert hands.hidden == base | row_of(3, 2, 5)
    hands.move(3.5, 8.5)
    hands.release()
    assert hands.hidden == base | row_of(3, 2, 8)
    assert hands.last["threshold"] == 0.5


def test_the_server_may_replace_with_a_higher_seq(hands, tools):
    hands.mount().drag((3.5, 2.5), (3.5, 8.5))
    hands.update(hide=tools.bits({(0, 0)}), show=tools.bits({(5, 5)}), seq=7, base="1" * 144)
    assert len(hands.hidden) == 143
    hands.drag((1.5, 1.5))
    assert hands.last["seq"] == 8
    hands.control("undo").click()
    assert tools.cells(hands.last["show"], (12, 12)) == {(5, 5)}
    expect(hands.control("undo")).to_be_disabled()


def test_a_new_mount_goes_on_where_the_old_one_stopped(hands):
    hands.mount().drag((3.2, 2.5), (3.2, 8.5))
    hands.drag((6.5, 2.5), (6.5, 8.5))
    edit = hands.last
    seen = hands.hidden
    hands.mount(**edit)
    assert hands.hidden == seen
    assert hands.snapshot["strokes"] == edit["strokes"]
    hands.control("undo").click()
    assert hands.last["seq"] == 3
    assert not hands.hidden & row_of(6, 0, 11)
    hands.slide("threshold", 0.1)
    assert row_of(2, 3, 7) <= hands.hidden


def test_bits_win_over_strokes_that_say_otherwise(hands, tools):
    stroke = {"tool": "rectangle", "value": "hide", "points": [0, 0, 1, 1]}
    hands.mount(hide=tools.bits({(2, 2)}), seq=3, strokes=[stroke])
    assert hands.hidden == {(2, 2)}
    expect(hands.control("undo")).to_be_disabled()


def test_the_settled_mask_is_shown_until_the_next_edit(hands, tools):
    hands.mount().drag((3.5, 2.5), (3.5, 8.5))
    locked = row_of(3, 2, 8) | row_of(0, 0, 4)
    hands.update(**hands.last, hidden=tools.bits(locked))
    assert hands.hidden == locked
    expect(hands.control("count")).to_have_text("12 of 144 patches hidden (8.3%)")
    hands.press(6.5, 2.5)
    assert hands.hidden == row_of(3, 2, 8) | {(6, 2)}
    hands.update(**hands.commits[0], hidden=tools.bits(locked))
    assert hands.hidden == row_of(3, 2, 8) | {(6, 2)}
    hands.release()
    hands.update(**hands.commits[0], hidden=tools.bits(locked))
    assert hands.hidden == row_of(3, 2, 8) | {(6, 2)}


@pytest.mark.parametrize(
    "junk",
    [
        {"grid": [0, 5]},
        {"grid": [1e6, 1e6]},
        {"grid": "12x12"},
        {"base": "1" * 143},
        {"base": "2" * 144},
        {"hide": 5, "show": None, "seq": 4},
        {"hide": "1" * 36, "show": "0" * 36, "seq": 4},
        {"threshold": "high", "seq": 4},
        {"seq": "9"},
        {"image": "javascript:window.bad = 1"},
        {"image": "http://127.0.0.1:9/picture.png"},
        {"hidden": "1"},
    ],
)
def test_junk_from_a_host_changes_nothing(hands, junk):
    hands.mount().drag((3.5, 2.5), (3.5, 8.5))
    hands.update(**junk)
    assert hands.hidden == row_of(3, 2, 8)
    assert hands.snapshot["threshold"] == 0.5
    hands.drag((4.5, 2.5), (4.5, 8.5))
    assert hands.hidden == row_of(3, 2, 8) | row_of(4, 2, 8)


@pytest.mark.parametrize(
    "stroke",
    [
        {"tool": "brush", "value": "hide", "size": 0.1, "aspect": 1, "points": [0.5]},
        {"tool": "brush", "value": "hide", "size": -1, "aspect": 1, "points": [0.5, 0.5]},
        {"tool": "rectangle", "value": "hide", "points": [0, 0, 1, 99]},
        {"tool": "bits", "rows": 99999, "cols": 99999, "hide": "", "show": ""},
        {"tool": "laser", "value": "hide", "points": [0, 0]},
        None,
    ],
)
def test_strokes_from_outside_are_checked(hands, tools, stroke):
    hands.mount(hide=tools.bits({(1, 1)}), seq=2, strokes=[stroke])
    assert hands.hidden == {(1, 1)}
    hands.drag((8.5, 8.5))
    assert hands.hidden == {(1, 1), (8, 8)}


def test_text_never_becomes_markup(hands):
    hands.mount()
    label = "<img src=x onerror='window.bad = 1'>\"'"
    hands.update(label=label)
    hands.page.wait_for_function("document.querySelector('canvas').ariaLabel.includes('onerror')")
    assert hands.page.locator("#root img").count() == 1
    assert hands.page.evaluate("window.bad") is None


def test_a_new_picture_comes_without_a_blank_frame(hands, tools):
    hands.mount()
    hands.page.evaluate(
        "() => { window.frames_seen = 0; window.blank = 0; const look = () => {"
        " const picture = document.querySelector('.pp-picture'); window.frames_seen++;"
        " if (!picture.complete || !picture.naturalWidth) window.blank++;"
        " requestAnimationFrame(look); }; look(); }"
    )
    last = ""
    for seed in range(12):
        last = tools.picture_uri(512, 512, seed=seed)
        hands.update(image=last)
        hands.page.wait_for_timeout(20)
    hands.page.wait_for_function(
        "uri => document.querySelector('.pp-picture').src === uri", arg=last
    )
    assert hands.page.evaluate("window.frames_seen") > 5
    assert hands.page.evaluate("window.blank") == 0


def test_a_picture_that_cannot_be_decoded_is_said(hands):
    hands.mount()
    before = hands.page.locator(".pp-picture").get_attribute("src")
    hands.update(image="data:image/png;base64,AAAA")
    expect(hands.control("notice")).to_have_text(
        "This picture could not be shown. Choose another one."
    )
    assert hands.page.locator(".pp-picture").get_attribute("src") == before


def test_the_panel_shows_pictures_notes_and_trouble(hands, tools):
    hands.mount()
    first, second = (tools.picture_uri(seed=seed) for seed in (1, 2))
    panel = "([pictures, message]) => window.panel.update(pictures, message)"
    pictures = [{"name": "masked", "src": first, "note": "<b>7</b> hidden"}, {"name": "error"}]
    hands.page.evaluate(panel, [pictures, ""])
    masked = hands.page.get_by_test_id("picture-masked")
    expect(masked.locator("img")).to_have_attribute("src", first)
    expect(masked.locator("span")).to_have_text("<b>7</b> hidden")
    expect(hands.control("message")).to_be_hidden()
    hands.page.evaluate(panel, [[{"name": "masked", "src": second}], "nothing is visible"])
    expect(masked.locator("img")).to_have_attribute("src", second)
    expect(hands.page.get_by_test_id("picture-error")).to_have_count(0)
    expect(hands.control("message")).to_have_text("nothing is visible")
    expect(hands.control("message")).to_have_attribute("role", "alert")


def test_an_empty_painter_says_so(hands):
    expect(hands.control("notice")).to_have_text("No picture yet.")


def test_a_destroyed_painter_is_gone(hands):
    hands.mount().drag((3.5, 2.5), (3.5, 8.5))
    hands.page.evaluate("window.old = window.painter; window.painter.destroy()")
    assert hands.page.locator("#root *").count() == 0
    hands.page.evaluate("state => window.old.update(state)", {"seq": 99, "grid": [2, 2]})
    assert len(hands.commits) == 1


def test_a_disabled_painter_takes_no_edit(hands):
    hands.mount(disabled=True)
    hands.drag((3.5, 2.5), (3.5, 8.5))
    hands.canvas.press("Space")
    assert hands.commits == []
    expect(hands.control("brush")).to_be_disabled()
    hands.update(disabled=False)
    hands.drag((3.5, 2.5), (3.5, 8.5))
    assert len(hands.commits) == 1
