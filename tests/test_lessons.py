"""What the lessons show: drawings, measures and charts, against counts and formulas."""

import io
import itertools

import numpy as np
import pytest
from PIL import Image

from workbench.errors import BadInput
from workbench.lessons.boards import Chart, board, table
from workbench.lessons.strategies import (
    mask_lab,
    measured,
    show_context,
    show_difficulty,
    show_measures,
    show_occupancy,
    show_spectra,
    show_strategies,
    show_target_reach,
    show_targets,
)
from workbench.masks import Grid
from workbench.plots.lines import INKS, line_chart, ticks

GRID = Grid(14, 14, patch=16)


def opened(shown) -> Image.Image:
    picture = Image.open(io.BytesIO(shown._repr_png_()))
    picture.load()
    assert 100 < picture.width <= 900
    return picture


def test_a_board_fills_its_last_row_so_that_all_pictures_are_of_one_size():
    tile = np.zeros((40, 40, 3), np.uint8)
    shown = board([(str(at), tile) for at in range(8)], "below", across=6)
    assert [len(row.tiles) for row in shown.rows] == [6, 6]
    assert [row.footer for row in shown.rows] == ["", "below"]
    assert opened(shown).height == sum(row.image().height for row in shown.rows)
    assert len(board([("one", tile)]).rows[0].tiles) == 1
    with pytest.raises(BadInput, match="no picture"):
        board([])


def test_tables_escape_and_align():
    shown = table(("", "<b>"), [("a & b", 0.123456), ("c", "x")])
    assert "<td>a &amp; b</td><td>0.1235</td>" in shown._repr_html_()
    assert "&lt;b&gt;" in shown._repr_html_()
    assert len({len(line) for line in repr(shown).splitlines()}) == 1


def test_drawings_say_realised_counts():
    shown = show_strategies(["units(ratio=0.6)", "checker()"], GRID)
    assert "units, 116" in repr(shown) and "checker, 98" in repr(shown)
    named = show_strategies(["random()"], GRID, names=["mine"])
    assert "mine, 147" in repr(named)
    opened(shown)


def test_measures_are_those_of_the_statistics():
    found = measured(["random(ratio=0.5)", "checker()"], GRID, 500)
    rows = {row[0]: row[1:] for row in show_measures(found).rows}
    assert rows["checker()"] == ("0.500 to 0.500", "0.000", "98.0", "1.00")
    # two cells of one mask are alike with 97 of 195, whatever their places
    assert float(rows["random(ratio=0.5)"][1]) == pytest.approx(97 / 195, abs=0.01)
    assert "checker" in repr(show_occupancy(found))
    opened(show_occupancy(found))
    chart = show_spectra(found, ["random", "checker"])
    x, y = chart.lines["random"]
    assert np.mean(y) == pytest.approx(1, abs=0.1) and max(x) <= np.sqrt(0.5)
    opened(chart)


def test_block_prefers_the_middle_and_random_does_not():
    found = measured(["random(ratio=0.4)", "block(ratio=0.4)"], GRID, 2000)
    even, biased = (each.plane for each in found.values())
    assert np.abs(even - 0.4).max() < 0.06  # over five standard errors
    corners = biased[[0, 0, -1, -1], [0, -1, 0, -1]].mean()
    assert corners < 0.1 < 0.65 < biased[6:8, 6:8].mean()


def test_the_official_multi_block_never_asks_for_the_last_row():
    shown = repr(show_target_reach(["multi_block(legacy=True)", "multi_block()"], GRID, 400))
    first, second = shown.split("|")
    assert "last row 0.00" in first
    assert float(second.split("last row ")[1][:4]) > 0.05
    opened(show_targets("multi_block()", GRID, range(2)))
    with pytest.raises(BadInput, match="names no targets"):
        show_targets("random()", GRID, [0])


def test_the_official_context_shrinks_with_the_batch():
    rows = [float(row[1]) for row in show_context((1, 16, 64), GRID, 256).rows]
    assert rows[0] > rows[1] > rows[2] and rows[3] > rows[0]


def test_distance_goes_with_difficulty():
    recipes = ["checker()", "random(ratio=0.5)", "block(ratio=0.5)"]
    rows = show_difficulty(recipes, ["coffee", "chelsea"], 1, 300).rows
    assert rows[0][1] == "1.00"
    for below, above in itertools.pairwise(rows):
        assert float(below[1]) < float(above[1]) and float(below[2]) < float(above[2])


def test_the_lab_measures_what_it_says():
    shown = mask_lab("random(ratio=0.5)", GRID, 200)
    assert "ratio 0.500" in repr(shown) and "200 draws" in repr(shown)
    assert "hidden with patch 105" in repr(shown)
    opened(shown)


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0, 0.06, [0, 0.02, 0.04, 0.06]),
        (0.05, 0.95, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (3, 3, None),
    ],
)
def test_axes_have_round_numbers_that_cover_the_values(low, high, wanted):
    found = ticks(low, high)
    assert found[0] <= low and found[-1] >= high and 2 <= len(found) <= 9
    steps = np.diff(found)
    assert np.allclose(steps, steps[0])
    if wanted is not None:
        assert found == pytest.approx(wanted)


def test_a_line_stands_where_its_values_are():
    picture = line_chart({"flat": ([0, 1], [1, 1]), "zero": ([0, 1], [0, 0])}, "x", "y")
    assert picture.shape == (320, 760, 3) and picture.dtype == np.uint8
    ink = np.array([int(INKS[0][at : at + 2], 16) for at in (1, 3, 5)])
    near = np.abs(picture.astype(int) - ink).sum(axis=2) < 90
    rows = np.flatnonzero(near[:, 60:600].sum(axis=1) > 300)
    assert len(rows) and abs(rows.mean() - 26) < 4  # the top of the box: y = 1


def test_charts_survive_odd_values():
    chart = Chart(
        {"a": ([0.1, 0.2, 0.3], [np.nan, 2, np.inf]), "b": ([0.5], [1])}, "x", "y", {"m": 2}
    )
    opened(chart)
    opened(Chart({}, "x", "y"))
