"""Painting with the mouse: which patches a stroke hides, and what can be undone."""

import numpy as np
import pytest
from playwright.sync_api import expect


def row_of(row, first, last):
    return {(row, col) for col in range(first, last + 1)}


def test_a_drag_hides_exactly_the_patches_under_it(hands):
    hands.mount().drag((3.5, 2.5), (3.5, 8.5))
    assert hands.hidden == row_of(3, 2, 8)
    assert [edit["seq"] for edit in hands.commits] == [1]
    assert hands.last["hide"].count("1") == 7
    assert hands.last["show"].count("1") == 0
    assert hands.control("count").text_content() == "7 of 144 patches hidden (4.9%)"


def test_patches_light_up_while_dragging(hands):
    hands.mount().press(3.5, 2.5)
    assert hands.drawn(3, 2)
    hands.move(3.5, 6.5)
    assert hands.hidden == row_of(3, 2, 6)
    assert hands.drawn(3, 4)
    assert not hands.drawn(3, 8)
    assert hands.commits == []
    hands.release()
    assert len(hands.commits) == 1


def test_a_fast_drag_leaves_no_gap(hands):
    hands.mount().drag((0.5, 0.5), (0.5, 11.5), (11.5, 11.5), steps=1)
    assert hands.hidden == row_of(0, 0, 11) | {(row, 11) for row in range(12)}


def test_the_eraser_shows_what_the_strategy_hid(hands, tools):
    base = row_of(5, 0, 11)
    hands.mount(base=tools.bits(base))
    assert hands.hidden == base
    hands.control("eraser").click()
    hands.drag((5.5, 3.5), (5.5, 6.5))
    assert hands.hidden == base - row_of(5, 3, 6)
    assert tools.cells(hands.last["show"], (12, 12)) == row_of(5, 3, 6)
    hands.control("brush").click()
    hands.drag((5.5, 6.5), (5.5, 7.5))
    assert tools.cells(hands.last["show"], (12, 12)) == row_of(5, 3, 5)
    assert tools.cells(hands.last["hide"], (12, 12)) == row_of(5, 6, 7)


def test_a_tap_takes_the_patch_it_hits_whole(hands):
    hands.mount()
    hands.slide("size", 0.02)
    hands.drag((4.05, 7.95))
    assert hands.hidden == {(4, 7)}
    hands.control("rectangle-show").click()
    hands.drag((4.05, 7.95))
    assert hands.hidden == set()


def covered(stroke, grid, fine=48):
    """Share of every patch within the brush of a polyline, by sampling points."""
    rows, cols = grid
    tall = 1 / stroke["aspect"]
    x = (np.arange(cols * fine) + 0.5) / (cols * fine)
    y = (np.arange(rows * fine) + 0.5) / (rows * fine) * tall
    place = np.stack(np.meshgrid(x, y), -1)
    points = np.array(stroke["points"]).reshape(-1, 2) * [1, tall]
    inside = np.zeros(place.shape[:2], bool)
    for start, end in zip(points, [*points[1:], points[-1]], strict=True):
        way = end - start
        along = np.clip((place - start) @ way / max(way @ way, 1e-12), 0, 1)[..., None]
        away = np.linalg.norm(place - start - along * way, axis=-1)
        inside |= away <= stroke["size"] * min(1, tall) / 2
    return inside.reshape(rows, fine, cols, fine).mean((1, 3))


@pytest.mark.parametrize(
    ("grid", "size", "threshold"),
    [((12, 12), 0.1, 0.5), ((12, 12), 0.3, 0.9), ((7, 12), 0.2, 0.25), ((14, 9), 0.05, 0.1)],
)
def test_coverage_equals_a_sampled_polyline(hands, tools, grid, size, threshold):
    rows, cols = grid
    hands.mount(grid, threshold=threshold)
    hands.slide("size", size)
    places = np.random.default_rng(rows).uniform(0.05, 0.95, (5, 2)) * grid
    hands.drag(*places, steps=10)
    (stroke,) = hands.last["strokes"]
    assert stroke["size"] == size
    assert stroke["aspect"] == pytest.approx(cols / rows, abs=1e-4)
    ends = np.array(stroke["points"]).reshape(-1, 2)[[0, -1], ::-1] * grid
    assert ends == pytest.approx(places[[0, -1]], abs=0.05)
    share = covered(stroke, grid)
    sure = np.abs(share - threshold) > 0.03
    assert sure.mean() > 0.9
    seen = np.array([bit == "1" for bit in hands.last["hide"]]).reshape(grid)
    assert np.array_equal(seen[sure], (share >= threshold)[sure])
    assert seen.any()


def test_the_threshold_rasterises_the_same_strokes_again(hands):
    hands.mount(threshold=0.5).drag((3.2, 2.5), (3.2, 6.5))
    strokes = hands.last["strokes"]
    inner = row_of(3, 3, 5)
    assert inner <= hands.hidden
    assert not hands.hidden & row_of(2, 0, 11)
    hands.slide("threshold", 0.15)
    assert inner | row_of(2, 3, 5) <= hands.hidden
    hands.slide("threshold", 0.9)
    assert hands.hidden == set()
    hands.slide("threshold", 0)
    assert row_of(2, 2, 6) | row_of(3, 2, 6) <= hands.hidden
    assert [edit["seq"] for edit in hands.commits] == [1, 2, 3, 4]
    assert hands.last["threshold"] == 0
    assert hands.last["strokes"] == strokes


def test_a_threshold_dragged_there_and_back_is_not_stuck(hands):
    hands.mount().drag((3.5, 2.5), (3.5, 6.5))
    node = hands.control("threshold")
    for value in (0.9, 0.5):
        node.evaluate(
            "(node, value) => { node.value = value; node.dispatchEvent(new Event('input')); }",
            value,
        )
    node.dispatch_event("pointerup")
    hands.update(seq=9, hide="1" * 144, show="0" * 144)
    assert len(hands.hidden) == 144


def test_a_rectangle_follows_the_pointer_and_shrinks(hands):
    hands.mount().control("rectangle-hide").click()
    hands.press(2.1, 3.1)
    hands.move(8.9, 9.9)
    assert len(hands.hidden) == 7 * 7
    hands.move(4.9, 5.9)
    assert hands.hidden == {(row, col) for row in (2, 3, 4) for col in (3, 4, 5)}
    assert not hands.drawn(7, 8)
    hands.release()
    hands.control("rectangle-show").click()
    hands.drag((4.9, 5.9), (3.1, 4.1))
    assert hands.hidden == {(2, 3), (2, 4), (2, 5), (3, 3), (4, 3)}
    assert len(hands.commits) == 2


def test_buttons_and_keys_agree_on_undo_and_redo(hands):
    hands.mount()
    undo, redo = hands.control("undo"), hands.control("redo")
    expect(undo).to_be_disabled()
    hands.drag((1.5, 1.5), (1.5, 4.5))
    hands.drag((7.5, 1.5), (7.5, 4.5))
    both = row_of(1, 1, 4) | row_of(7, 1, 4)
    assert hands.hidden == both
    undo.click()
    assert hands.hidden == row_of(1, 1, 4)
    hands.canvas.press("Control+z")
    assert hands.hidden == set()
    expect(undo).to_be_disabled()
    hands.canvas.press("Control+Shift+Z")
    assert hands.hidden == row_of(1, 1, 4)
    redo.click()
    assert hands.hidden == both
    expect(redo).to_be_disabled()
    undo.click()
    hands.drag((9.5, 1.5), (9.5, 4.5))
    expect(redo).to_be_disabled()
    assert hands.hidden == row_of(1, 1, 4) | row_of(9, 1, 4)
    assert [edit["seq"] for edit in hands.commits] == list(range(1, 9))


def test_clear_and_invert_are_steps_too(hands, tools):
    base = row_of(0, 0, 11)
    hands.mount(base=tools.bits(base)).drag((1.5, 1.5), (1.5, 4.5))
    painted = base | row_of(1, 1, 4)
    hands.control("invert").click()
    assert hands.hidden == row_of_all() - painted
    hands.control("clear").click()
    assert hands.hidden == base
    hands.control("undo").click()
    assert hands.hidden == row_of_all() - painted
    hands.control("undo").click()
    assert hands.hidden == painted


def row_of_all():
    return {(row, col) for row in range(12) for col in range(12)}


def test_strokes_survive_tool_size_and_grid(hands, tools):
    hands.mount(threshold=0.4).drag((3.5, 2.5), (3.5, 8.5))
    for name in ("eraser", "rectangle-hide", "brush"):
        hands.control(name).click()
    hands.slide("size", 0.4)
    assert hands.hidden == row_of(3, 2, 8)
    seq = hands.last["seq"]
    hands.grid = (6, 6)
    hands.update(grid=[6, 6], base="0" * 36, hide=hands.last["hide"], show="0" * 144, seq=seq)
    assert hands.hidden == row_of(1, 1, 3)
    hands.page.wait_for_function("window.commits.length === 2")
    assert hands.last["seq"] == seq + 1
    assert tools.cells(hands.last["hide"], (6, 6)) == row_of(1, 1, 3)
    assert len(hands.last["strokes"]) == 1


@pytest.mark.parametrize("grid", [(1, 1), (1, 20), (5, 9), (32, 8)])
def test_grids_that_are_not_square(hands, grid):
    rows, cols = grid
    hands.mount(grid)
    hands.slide("size", 0.02)
    hands.drag((rows - 0.5, cols - 0.5))
    assert hands.hidden == {(rows - 1, cols - 1)}
    hands.control("rectangle-hide").click()
    hands.drag((0.1, 0.1), (rows - 0.05, 0.95))
    assert hands.hidden == {(rows - 1, cols - 1)} | {(row, 0) for row in range(rows)}


def test_a_large_picture_costs_no_more_than_its_dirty_patches(hands, tools):
    hands.mount((64, 64), image=tools.picture_uri(2048, 2048))
    hands.press(3.5, 3.5)
    drawn, costs = [], []
    for step in range(1, 25):
        before = hands.snapshot["stats"]
        hands.move(3.5 + step, 3.5 + 2 * step, steps=1)
        hands.page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
        after = hands.snapshot["stats"]
        drawn.append(after["patches"])
        costs.append(
            (after["total"] - before["total"]) / max(1, after["frames"] - before["frames"])
        )
    hands.release()
    assert 0 < max(drawn) < 100
    assert np.median(costs) < 16


def test_a_very_long_history_is_folded_and_looks_the_same(hands):
    hands.mount()
    stroke = {"tool": "rectangle", "value": "hide", "points": [0, 0, 0.25, 0.25] * 5000}
    later = {"tool": "rectangle", "value": "show", "points": [0, 0, 0.5, 0.05]}
    strokes = [stroke, later, stroke, later]
    rows = {(row, col) for row in range(3) for col in range(3)}
    show = {(0, col) for col in range(6)}
    hide = "".join("01"[divmod(at, 12) in rows - show] for at in range(144))
    shown = "".join("01"[divmod(at, 12) in show] for at in range(144))
    hands.update(seq=4, hide=hide, show=shown, strokes=strokes)
    assert len(hands.snapshot["strokes"]) == 4
    hands.drag((8.5, 8.5))
    assert hands.hidden == (rows - show) | {(8, 8)}
    kept = hands.last["strokes"]
    assert kept[0]["tool"] == "bits"
    assert sum(len(each.get("points", [])) for each in kept) < 25000
