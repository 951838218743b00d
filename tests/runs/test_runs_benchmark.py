"""The table of objectives holds what was measured, once, and says what was not."""

import json
import sys
from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.runs.conftest import Small, Trainers
from workbench.objectives import OBJECTIVES
from workbench.runs.store import RunStore

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def test_a_row_is_measured_once_and_the_rest_is_said_to_be_missing(
    tmp_path: Path, small: Small, trainers: Trainers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    objectives = import_module("objectives")

    configs = {
        "mae": small(steps=6, name="mae"),
        "mrm": small(steps=4, name="mrm", objective="mrm()"),
    }
    monkeypatch.setattr(objectives, "configuration", lambda name, data: configs[name])
    store = RunStore(tmp_path / "runs")
    for config in configs.values():
        run = store.create(config)
        assert trainers.train(run) == 0
        # of the other one the first half was killed, and its time is not known
        began = 0 if config.name == "mae" else config.steps // 2
        run.append(objectives.CPU, {"from": began, "to": config.steps, "seconds": 3.0})
    folder = tmp_path / "objectives"
    folder.mkdir()
    assert objectives.rows(["mae", "mrm"], store.folder, "", folder) == 0

    row = json.loads((folder / "mae.json").read_text())
    run = next(run for run in store if run.config == configs["mae"])
    noted = {each["protocol"]: each["accuracy"] for each in run.evaluations()}
    assert set(noted) == {"knn", "knn@initial", "linear_probe", "linear_probe@initial"}
    assert row["trained"]["knn"]["accuracy"] == noted["knn"]
    assert row["initial"]["linear_probe"]["accuracy"] == noted["linear_probe@initial"]
    losses = [each["loss"] for each in run.metrics()]
    assert row["loss"]["start"] == losses[0] and row["cpu_seconds"] == 3.0

    table = (tmp_path / "objectives.md").read_text()
    line = next(line for line in table.splitlines() if line.startswith("| mae |"))
    # 6 steps of 16 pictures in 3 s
    assert line.split("|")[2:5] == [" 6 ", " 0.1 ", " 32 "]
    assert f"{100 * noted['linear_probe']:.1f} (" in line
    missing = table.partition("Not measured yet: ")[2].rstrip().rstrip(".").split(", ")
    assert set(missing) == set(OBJECTIVES.names()) - set(configs)
    assert "| mrm | digits() | 4 | 0.1* |" in table

    picture = ElementTree.parse(tmp_path / "objectives.svg").getroot()
    words = [each.text for each in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert f"{100 * noted['linear_probe']:.1f}%" in words and {"mae", "mrm"} <= set(words)

    before = [(folder / f"{name}.json").stat().st_mtime_ns for name in configs]
    assert objectives.rows(["mae", "mrm"], store.folder, "", folder) == 0
    assert [(folder / f"{name}.json").stat().st_mtime_ns for name in configs] == before
    assert len(run.evaluations()) == 4


def test_help_is_claimed_where_intervals_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    helps = import_module("objectives_table").helps

    def row(before: tuple[float, float], after: tuple[float, float]) -> dict[str, object]:
        spans = {"initial": before, "trained": after}
        return {k: {"linear_probe": {"low": a, "high": b}} for k, (a, b) in spans.items()}

    assert helps(row((0.3, 0.33), (0.34, 0.36))) == "yes"
    assert helps(row((0.3, 0.33), (0.33, 0.36))) == "unclear"
    assert helps(row((0.3, 0.33), (0.2, 0.29))) == "no, it hurts"
