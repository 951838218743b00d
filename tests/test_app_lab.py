"""The mask lab's page without a browser: what its components get, and how it takes edits."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app import lab_payload
from app.components import lab_leak
from workbench.analysis.mask_statistics import statistics
from workbench.masks import MASKS
from workbench.scenes import SceneSpec, compose, grid_of, lab
from workbench.scenes.lab import LabSpec

DASHBOARD = Path(__file__).parents[1] / "app" / "dashboard.py"


def open_lab(**query: str) -> AppTest:
    page = AppTest.from_file(DASHBOARD, default_timeout=120)
    page.switch_page("views/mask_lab.py")
    for name, value in query.items():
        page.query_params[name] = value
    return page.run()


def given(page: AppTest, component: str) -> dict[str, Any]:
    found = [element.proto for element in page.get("bidi_component")]
    (proto,) = [each for each in found if each.component_name.endswith(f"_{component}")]
    return json.loads(proto.json)


def decoded(text: str) -> np.ndarray:
    raw = np.frombuffer(base64.b64decode(text), "<u2")
    return np.where(raw == 65535, np.nan, raw / 65534)


def test_shares_survive_the_way_to_the_browser():
    values = np.array([0, 1, 0.5, np.nan, 0.12345])
    assert decoded(lab_payload.encoded(values)) == pytest.approx(values, abs=1e-5, nan_ok=True)


def test_the_page_shows_the_strategy_of_its_link(workbench_home: Path):
    page = open_lab(mask="block(ratio=0.6)", draws="1000", cell="5", seed="3")
    assert not page.exception and not page.error
    grid = grid_of(SceneSpec())
    found = statistics(MASKS.parse("block(ratio=0.6)"), grid, 1_000, 3)
    data = given(page, "lab")
    assert data["recipe"] == "block(ratio=0.6)" and "1\u202f000 draws on 12 × 12" in data["drawn"]
    assert decoded(data["occupancy"]) == pytest.approx(found.occupancy.ravel(), abs=1e-4)
    assert decoded(data["together"]["values"]) == pytest.approx(found.together(5).ravel(), abs=1e-4)
    numbers = {row["name"]: row["value"] for row in data["numbers"]}
    assert numbers["Hidden"] == "59.7%" and numbers["Pieces"] == f"{found.pieces.mean():.2f}"
    assert numbers["To visible"] == f"{found.mean_distance:.2f}"
    drawn = MASKS.parse("block(ratio=0.6)").sample(grid, 12, 3)
    bits = np.unpackbits(
        np.frombuffer(base64.b64decode(data["samples"]["bits"]), np.uint8), bitorder="little"
    )
    assert np.array_equal(bits[: 12 * 144].astype(bool), drawn.hidden.ravel())
    (row,) = given(page, "policies")["rows"]
    assert row["open"] == "/?mask=block%28ratio%3D0.6%29&seed=3"
    assert dict(row["numbers"])["PSNR"].endswith(" dB")
    link = given(page, "link")
    assert "draws=1000" in link["query"] and "measure 'block(ratio=0.6)'" in link["command"]


def test_choosing_a_strategy_keeps_the_ratio_and_clips_get_a_clip(workbench_home: Path):
    page = open_lab(mask="random(ratio=0.4)", draws="100")
    page.selectbox(key="lab_strategy").select("block").run()
    assert page.session_state["lab"].policies == ("block(ratio=0.4)",)
    assert page.session_state["spec"].mask == "random(ratio=0.4)"  # the first view keeps its own
    page.selectbox(key="lab_strategy").select("tubes").run()
    assert page.session_state["lab"].grid == "8x14x14"
    assert given(page, "lab")["grid"]["frames"] == 8
    assert len(given(page, "policies")["rows"][0]["strip"]) == 8
    page.selectbox(key="lab_grid").select("16x16").run()
    assert given(page, "lab")["grid"] == {"rows": 16, "cols": 16, "frames": 1}


def test_the_first_views_mask_can_be_taken(workbench_home: Path):
    page = open_lab(mask="block(ratio=0.6)", draws="100")
    assert "lab_take" not in [button.key for button in page.button]
    page.selectbox(key="lab_strategy").select("random").run()
    page.button(key="lab_take").click().run()
    assert page.session_state["lab"].policies == ("block(ratio=0.6)",)
    assert "lab_take" not in [button.key for button in page.button]


@pytest.mark.parametrize("name", MASKS.names())
def test_every_strategy_is_measured_or_says_why_not(name: str):
    spec = LabSpec(policies=(str(MASKS.get(name)()),), draws=20)
    try:
        data = lab_payload.measures(spec, 0)
    except ValueError as error:
        assert str(error).endswith((".", ")")) or ";" in str(error)
        return
    assert data["numbers"][0]["name"] == "Hidden"
    json.dumps(data, allow_nan=False)


def test_drawn_scenes_tell_what_becomes_of_their_objects(workbench_home: Path):
    page = open_lab(photo="drawn-1", draws="1000")
    spec = LabSpec(scene=SceneSpec(photo="drawn-1"), draws=1_000)
    found = lab.objects(spec, lab.measured(spec))
    rows = given(page, "lab")["objects"]
    assert [row["name"] for row in rows] == [each.name for each in found[:8]]
    assert rows[0]["hidden"] == pytest.approx(0.75, abs=0.05)


def test_bad_parameters_are_told_and_leave_the_others(workbench_home: Path):
    page = open_lab(
        mask="block(ratio=0.6)", second="nope()", third="random(ratio=0.6)", draws="1e3", grid="x"
    )
    assert not page.exception
    told = " ".join(element.value for element in page.error)
    for word in ("'nope' is no known strategy", "raws is '1e3'", "rid is 'x'"):
        assert word in told
    assert page.session_state["lab"].policies == ("block(ratio=0.6)", "random(ratio=0.6)")


def test_what_cannot_be_measured_or_shown_says_why(
    workbench_home: Path, monkeypatch: pytest.MonkeyPatch
):
    page = open_lab(mask="random(ratio=0)", second="random(ratio=0.5)", draws="50")
    assert not page.exception
    rows = given(page, "policies")["rows"]
    assert "hides" in rows[0]["problem"] and rows[1]["pictures"]
    assert given(page, "lab")["numbers"][0]["value"] == "0.0%"
    monkeypatch.setattr(lab, "measured", lambda spec, at: 1 / 0)
    page.selectbox(key="lab_draws").select(100).run()
    assert "the log has it as" in given(page, "lab")["problem"]


def test_leaks_are_measured_step_by_step_and_told_where_there_are_none():
    recipes = ("random", "frequency_disc", "random(ratio=0)", "block(ratio=0.5)")
    job = lab_leak.started(LabSpec(policies=recipes), ["coffee", "astronaut"])
    seen = []
    while job.running:
        job.step()
        seen.append(job.done)
    assert seen == [1, 2, 4, 6, 7, 8, 8]
    assert job.found[LabSpec(policies=recipes).policies[1]].startswith("it hides frequencies")
    assert "0 of 144 patches" in job.found["random(ratio=0.0)"]
    leaks = job.found["block(ratio=0.5)"]
    scene = SceneSpec(photo="astronaut", mask="block(ratio=0.5)", seed=1)
    wanted = compose(scene).metrics.mse
    assert dict(leaks.photos)["astronaut"] == pytest.approx(wanted)
