"""The matrix and search views without a browser: links, refusals, and what reaches the page."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app.jobs import Job
from workbench.scenes import SceneSpec, compose
from workbench.scenes.searches import SEARCHES, watched

VIEWS = Path(__file__).parents[1] / "app" / "views"
SLOW = 30.0


def open_view(name: str, **query: str) -> AppTest:
    page = AppTest.from_file(VIEWS / f"{name}.py", default_timeout=120)
    for field, value in query.items():
        page.query_params[field] = value
    page = page.run()
    assert not page.exception
    return page


def given(page: AppTest, component: str) -> dict[str, Any]:
    """What the page gave to the component of this name."""
    found = [element.proto for element in page.get("bidi_component")]
    (data,) = [each.json for each in found if each.component_name.endswith(f"_{component}")]
    return json.loads(data)


def finished(page: AppTest, key: str) -> Job:
    """The page's job once it is over."""
    job: Job = page.session_state[f"job-{key}"][1]
    end = time.monotonic() + SLOW
    while not job.over:
        assert time.monotonic() < end
        time.sleep(0.01)
    return job


def test_the_matrix_of_a_link(workbench_home: Path) -> None:
    page = open_view(
        "matrix", photo="coffee", seed="3", masks="random;block(min_patches=4)", ratios="0.75,0.4"
    )
    table = given(page, "matrix")
    assert table["rows"] == ["Random", "block(min_patches=4)"]
    assert table["cols"] == ["0.4", "0.75"]
    job = finished(page, "matrix")
    assert job.state == "done"
    cells = {(event["row"], event["col"]): event for event in job.events}
    assert set(cells) == {(0, 0), (0, 1), (1, 0), (1, 1)}
    scene = compose(SceneSpec(photo="coffee", seed=3, mask="block(ratio=0.75, min_patches=4)"))
    assert cells[1, 1]["value"] == pytest.approx(scene.metrics.mse, abs=1e-5)
    assert cells[1, 1]["query"].startswith("photo=coffee&mask=block")
    assert all(cell["src"].startswith("data:image/jpeg") for cell in cells.values())
    link = given(page, "link")
    assert "masks=random%3Bblock%28min_patches%3D4%29" in link["query"]
    assert "seed=3" in link["query"]
    compile(link["python"], "copied", "exec")
    assert "--ratios 0.4,0.75" in link["command"]


def test_the_same_question_is_not_asked_twice_and_another_one_ends_the_first(
    workbench_home: Path,
) -> None:
    page = open_view("matrix", masks="random", ratios="0.5")
    first = page.session_state["job-matrix"][1]
    page = page.run()
    assert page.session_state["job-matrix"][1] is first
    page.text_input(key="ratios").set_value("0.5, 0.8").run()
    assert page.session_state["job-matrix"][1] is not first
    assert first.leave
    assert len(finished(page, "matrix").events) == 2


def test_the_curve_marks_the_training_ratio(workbench_home: Path) -> None:
    page = open_view("matrix", look="curve", masks="random;stripes")
    job = finished(page, "matrix")
    assert (job.state, job.done) == ("done", 38)
    page = page.run()
    (chart,) = page.get("plotly_chart")
    figure = json.loads(chart.proto.spec)
    assert [trace["name"] for trace in figure["data"] if "name" in trace] == ["Random", "Stripes"]
    marks = figure["layout"]["annotations"]
    assert [mark["text"] for mark in marks] == ["trained at 0.75"]
    band = figure["layout"]["shapes"][0]
    assert (band["x0"], band["x1"]) == (0.5, 0.9)
    assert any("most often 0.75" in caption.value for caption in page.caption)


def test_the_spread_of_the_scene_s_own_mask(workbench_home: Path) -> None:
    page = open_view("matrix", look="spread", seeds="5", mask="block(ratio=0.5)", seed="2")
    job = finished(page, "matrix")
    assert job.now is not None
    assert job.now["seeds"] == [2, 3, 4, 5, 6]
    single = compose(SceneSpec(mask="block(ratio=0.5)", seed=4)).metrics.mse
    assert job.now["mse"][2] == pytest.approx(single, abs=1e-5)
    assert [tile["caption"] for tile in job.now["tiles"]][:2] == ["Mean paste-back", "Variance"]
    page = page.run()
    assert len(page.get("plotly_chart")) == 1


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"masks": "nope"}, ["nope", "choose one of"]),
        ({"ratios": "0.5,two"}, ["two", "numbers"]),
        ({"ratios": "1.5"}, ["1.5", "0 to 1"]),
        ({"masks": ";"}, ["0 strategies"]),
        ({"seeds": "1", "look": "spread"}, ["Seeds", "2 to"]),
    ],
)
def test_a_bad_link_is_told_and_the_rest_stands(
    query: dict[str, str], words: list[str], workbench_home: Path
) -> None:
    page = open_view("matrix", photo="coffee", **query)
    told = " ".join(error.value for error in page.error)
    for word in words:
        assert word in told
    assert page.session_state["spec"].photo == "coffee"
    assert finished(page, "matrix").state == "done"


def test_a_search_starts_by_its_button_and_finds_what_the_library_finds(
    workbench_home: Path,
) -> None:
    recipe = "worst_mask(ratio=0.6, evaluations=120, seed=2)"
    page = open_view("searches", photo="coffee", search=recipe)
    assert given(page, "search")["job"] == ""
    page.button(key="start").click().run()
    job = finished(page, "search")
    assert (job.state, job.done, job.total) == ("done", 120, 120)
    *_, found = watched(SceneSpec(photo="coffee"), SEARCHES.parse(recipe))
    assert job.now is not None
    assert job.now["mask"] == found.spec.mask
    assert (job.events[-1]["place"], job.events[-1]["value"]) == found.history[-1]
    values = [event["value"] for event in job.events]
    assert values == sorted(values)
    link = given(page, "link")
    assert "search=worst_mask%28ratio%3D0.6" in link["query"]
    assert recipe in link["command"]
    compile(link["python"], "copied", "exec")


def test_a_search_of_a_bad_link_is_told(workbench_home: Path) -> None:
    page = open_view("searches", search="best_mask()")
    assert any("best_mask" in error.value for error in page.error)
    assert str(page.session_state["search"]).startswith("worst_mask(")
