"""A tracker is told what a run's files say; one that is missing, fails or hangs harms nobody."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.runs.conftest import Small, Trainers, until
from workbench.runs.mirroring import SENT
from workbench.runs.store import Run, RunStore

# A tracker of one's own under trackio's name: it writes down what it is told.
RECORDING = """
import json, os, time
def write(row):
    with open(os.environ["TOLD"], "a") as file:
        file.write(json.dumps(row) + chr(10))
def before(step): pass
def log(values, step):
    before(step)
    write({"step": step, **values})
def init(**told): write({"init": told})
def finish(): write({"finish": 1})
Image = str
"""
RAISING = RECORDING + "def before(step): raise OSError('no')"
HANGING = RECORDING + "def before(step): time.sleep(99)"
SLOW = RECORDING + "def before(step): time.sleep(9 * (step > 2))"


def tracker(place: Path, code: str) -> dict[str, str]:
    """The variables under which `import trackio` finds this code."""
    (place / "trackio").mkdir(parents=True)
    (place / "trackio" / "__init__.py").write_text(code)
    path = os.pathsep.join([str(place), *filter(None, [os.environ.get("PYTHONPATH", "")])])
    return {"PYTHONPATH": path, "TOLD": str(place / "told")}


def told(variables: dict[str, str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in Path(variables["TOLD"]).read_text().splitlines()]


def mirrored(run: Run, variables: dict[str, str], *arguments: str) -> int:
    command = [sys.executable, "-m", "workbench.runs.mirroring", str(run.path), *arguments]
    return subprocess.run(command, env={**os.environ, **variables}, timeout=100).returncode


@pytest.fixture
def ended(store: RunStore, small: Small) -> Run:
    """A run with two lines of metrics, resumed in between, and a picture."""
    run = store.create(small(mirror="trackio", name="<script>; rm"))
    for row in ({"step": 2, "loss": 3.0}, {"step": 4, "loss": 2.0}, {"resumed": 3},
                {"step": 4, "loss": 2.0}, {"step": 6, "loss": "nan"}):  # fmt: skip
        run.append("metrics.jsonl", row)
    (run.path / "pictures").mkdir()
    (run.path / "pictures" / "step-00000004-masked.png").write_bytes(b"")
    run.append("evaluations.jsonl", {"protocol": "knn(k=5)", "step": 6, "accuracy": 0.5})
    run.append("evaluations.jsonl", {"protocol": "knn@initial", "step": "initial", "accuracy": 0.1})
    run.append("evaluations.jsonl", {"protocol": "metric", "step": 6, "value": 0.25})
    run.set_state(state="done")
    return run


def test_a_tracker_is_told_every_step_once(ended: Run, tmp_path: Path) -> None:
    variables = tracker(tmp_path / "site", RECORDING)
    assert mirrored(ended, variables) == 0
    first, *rows, last = told(variables)
    assert first["init"]["name"] == ended.id and first["init"]["config"] == ended.record
    picture = str(ended.path / "pictures" / "step-00000004-masked.png")
    assert rows == [
        {"step": 2, "loss": 3.0}, {"step": 4, "loss": 2.0}, {"step": 6},
        {"step": 4, "masked": picture}, {"step": 6, "accuracy knn(k=5)": 0.5},
        {"step": 0, "accuracy knn@initial": 0.1}, {"step": 6, "value metric": 0.25},
    ]  # fmt: skip
    assert last == {"finish": 1} and ended.alerts() == []
    ended.append("metrics.jsonl", {"step": 8, "loss": 1.0})  # it has gone on
    assert mirrored(ended, variables) == 0
    assert told(variables)[10:-1] == [{"step": 8, "loss": 1.0}]


def test_what_was_told_before_a_failure_is_not_told_again(ended: Run, tmp_path: Path) -> None:
    failing = RECORDING.replace(
        "before(step)\n", "before(step); assert 'value metric' not in values\n"
    )
    variables = tracker(tmp_path / "site", failing)
    assert mirrored(ended, variables) == mirrored(ended, variables) == 1
    losses = [row for row in told(variables) if "loss" in row]
    assert losses == [{"step": 2, "loss": 3.0}, {"step": 4, "loss": 2.0}]


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("import not_there", r"trackio cannot be used (No module named 'not_there'): pip install"),
        (RAISING, "trackio failed (OSError: no); the run goes on without it"),
        (HANGING, "trackio did not take everything in 1 s; it was left"),
    ],
)
def test_a_tracker_that_is_missing_fails_or_hangs_is_one_alert(
    code: str, sentence: str, ended: Run, tmp_path: Path
) -> None:
    assert mirrored(ended, tracker(tmp_path / "site", code), "1") == 1
    assert [row["kind"] for row in ended.alerts()] == ["mirror"]
    assert sentence in ended.alerts()[0]["sentence"] and ended.state()["state"] == "done"
    assert not (ended.path / SENT).exists()


def test_a_run_is_told_of_while_it_trains_and_ends_beside_a_tracker_that_hangs(
    store: RunStore, small: Small, trainers: Trainers, tmp_path: Path
) -> None:
    variables = tracker(tmp_path / "site", SLOW)
    run = store.create(small(steps=4, log_every=1, mirror="trackio"))
    assert trainers.wait(trainers.start(run, variables)) == 0 and run.state()["state"] == "done"
    until(lambda: Path(variables["TOLD"]).exists() and len(told(variables)) > 2)
    rows = told(variables)[1:3]
    assert [row["loss"] for row in rows] == [row["loss"] for row in run.metrics()[:2]]
    for each in subprocess.run(["pgrep", "-f", f"mirroring {run.path}"], capture_output=True,
                               text=True).stdout.split():  # fmt: skip
        os.kill(int(each), 9)
