"""Runs on a real Ray of one node; `make ray` provides it and asks for this file alone."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ray_jobs.node import CPUS, Node
from tests.runs.conftest import small_config, until
from workbench.errors import BadInput
from workbench.runs.engines.ray import Ray
from workbench.runs.handing import ask_after, handed
from workbench.runs.identity import start_mark
from workbench.runs.launching import Handle, enqueue, enqueue_all, wait
from workbench.runs.store import RunStore
from workbench.runs.training import train

pytestmark = pytest.mark.slow
LONG = 1_000_000
ENGINE = "ray()"


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with pytest.MonkeyPatch.context() as patch:
        found = Node()
        with found as address:
            patch.setenv("RAY_ADDRESS", address)
            yield found


@pytest.fixture(scope="module")
def folder(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ray") / "runs"


def of(run: Handle) -> tuple[Ray, str]:
    has = handed(run)
    assert has is not None and isinstance(has[0], Ray)
    return has[0], has[1]


def known(run: Handle) -> bool:
    engine, job = of(run)
    active = engine.active("")
    assert active is not None
    return job in active


def goes(run: Handle) -> bool:
    return run.state()["state"] == "running" and len(run.metrics()) > 2


def test_a_run_on_ray_equals_one_here(folder: Path, tmp_path: Path) -> None:
    config = small_config(steps=8, log_every=1)
    run = enqueue(config, folder, ENGINE)
    assert wait(run, 300)["state"] == "done"
    here = RunStore(tmp_path).create(config)
    assert train(here) == "done"
    assert [r["loss"] for r in here.metrics()] == [r["loss"] for r in run.metrics()]
    until(lambda: not known(run), 60)


def test_more_runs_than_cores_go_one_after_the_other(folder: Path) -> None:
    runs = enqueue_all([small_config(steps=4, seed=seed) for seed in range(4)], folder, ENGINE)
    most = 0
    while any(known(run) for run in runs):
        states = [run.state()["state"] for run in runs]
        most = max(most, sum(state in ("starting", "running") for state in states))
        time.sleep(0.2)
    assert [run.state()["state"] for run in runs] == ["done"] * 4 and most <= CPUS


def test_stopped_resumed_ended_at_once_and_stopped_by_ray(folder: Path) -> None:
    run = enqueue(small_config(steps=LONG, save_every=LONG, log_every=1), folder, ENGINE)
    until(lambda: goes(run), 300)
    run.cancel()
    state = wait(run, 60)
    assert state["state"] == "cancelled" and run.checkpoints()[-1][0] == state["step"]
    _, first = of(run)
    run.resume()
    assert of(run)[1] != first
    until(lambda: goes(run) and run.metrics()[-1]["step"] > state["step"] + 2, 300)
    assert any("goes on after step" in line for line in run.log())

    pid = run.state()["pid"]
    assert run.cancel(now=True)["state"] == "cancelled"
    assert start_mark(pid) is None and not known(run)

    run.resume()
    until(lambda: goes(run), 300)
    engine, job = of(run)
    pid = run.state()["pid"]
    engine.ask("POST", f"{job}/stop")  # behind our back, as `ray job stop` does
    state = wait(run, 60)  # a busy machine may not write its checkpoint in the time that Ray gives
    assert state["state"] == "crashed" or run.checkpoints()[-1][0] == state["step"]
    until(lambda: start_mark(pid) is None and not known(run), 10)


def test_a_killed_trainer_and_a_python_that_is_not_there_are_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = enqueue(small_config(steps=LONG, save_every=2, log_every=1), folder, ENGINE)
    until(lambda: run.checkpoints(), 300)
    os.kill(run.state()["pid"], signal.SIGKILL)
    until(lambda: run.state()["state"] == "crashed", 10)
    until(lambda: not known(run), 60)

    monkeypatch.setattr("sys.executable", "/nowhere/python")
    lost = enqueue(small_config(), folder, ENGINE)
    until(lambda: not known(lost), 60)
    ask_after([lost])
    state = lost.state()
    assert state["state"] == "crashed" and "exit code 127" in state["reason"]


def test_what_waits_and_what_runs_when_the_cluster_goes(folder: Path, node: Node) -> None:
    runs = enqueue_all([small_config(steps=LONG, seed=s) for s in range(4)], folder, ENGINE)
    until(lambda: sum(run.state()["state"] == "running" for run in runs) == CPUS, 300)
    going = [run for run in runs if run.state()["state"] == "running"]
    first, second = (run for run in runs if run not in going)
    assert first.cancel()["reason"] == "taken out of the queue"

    pids = [run.state()["pid"] for run in going]
    node.end()
    until(lambda: all(start_mark(pid) is None for pid in pids), 10)
    ask_after(runs)
    assert [run.state()["state"] for run in going] == ["crashed"] * CPUS
    assert second.state()["state"] == "queued"
    with pytest.raises(BadInput, match="no Ray answers"):
        going[0].resume()
    assert second.cancel()["state"] == "cancelled"
