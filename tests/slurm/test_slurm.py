"""Runs on a real Slurm of one node; `make slurm` provides it and asks for this file alone."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runs.conftest import small_config, until
from tests.slurm.node import Node
from workbench.errors import BadInput
from workbench.runs.handing import ask_after, handed
from workbench.runs.identity import start_mark
from workbench.runs.launching import Handle, enqueue, enqueue_all, wait
from workbench.runs.store import RunStore
from workbench.runs.training import train

pytestmark = pytest.mark.slow
LONG = 1_000_000
ENGINE = "slurm(minutes=30, cpus=1)"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    place = tmp_path_factory.mktemp("slurm")
    with pytest.MonkeyPatch.context() as patch, Node(place / "node") as variables:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield place / "runs"


def job(run: Handle) -> str:
    has = handed(run)
    assert has is not None and has[0].name == "slurm"
    return has[1]


def known(run: Handle) -> bool:
    has = handed(run)
    assert has is not None
    active = has[0].active("")
    assert active is not None
    return has[1] in active


def steps(run: Handle) -> int:
    return max((row["step"] for row in run.metrics()), default=0)


def test_a_run_on_slurm_equals_one_here(folder: Path, tmp_path: Path) -> None:
    config = small_config(steps=8, log_every=1)
    run = enqueue(config, folder, ENGINE)
    assert wait(run, 300)["state"] == "done"
    here = RunStore(tmp_path).create(config)
    assert train(here) == "done"
    assert [r["loss"] for r in here.metrics()] == [r["loss"] for r in run.metrics()]
    until(lambda: not known(run), 60)


def test_an_array_of_runs_of_which_two_go_at_once(folder: Path) -> None:
    runs = enqueue_all([small_config(steps=4, seed=seed) for seed in range(3)], folder, ENGINE)
    names = [job(run) for run in runs]
    assert {name.partition("_")[0] for name in names} == {names[0].partition("_")[0]}
    assert [name.partition("_")[2] for name in names] == ["0", "1", "2"]
    assert [wait(run, 400)["state"] for run in runs] == ["done"] * 3


def test_stopped_resumed_out_of_time_and_ended_at_once(folder: Path) -> None:
    run = enqueue(small_config(steps=LONG, save_every=LONG, log_every=1), folder, ENGINE)
    until(lambda: steps(run) > 2, 300)
    run.cancel()
    state = wait(run, 60)
    assert state["state"] == "cancelled" and run.checkpoints()[-1][0] == state["step"]
    first = job(run)
    run.resume()
    assert job(run) != first
    until(lambda: steps(run) > state["step"] + 2, 300)

    before, pid = run.state()["tries"], run.state()["pid"]
    subprocess.run(["scancel", "--signal=USR2", job(run)], check=True)  # what a time limit sends
    until(lambda: run.state()["tries"] == before + 1, 90)
    saved = run.checkpoints()[-1][0]
    assert start_mark(pid) is None and saved > state["step"] and known(run)
    until(lambda: run.state()["state"] == "running" and steps(run) > saved, 300)
    assert any("goes on after step" in line for line in run.log())

    pid, began = run.state()["pid"], time.monotonic()
    assert run.cancel(now=True)["state"] == "cancelled"
    until(lambda: start_mark(pid) is None, 10)
    assert time.monotonic() - began < 10
    until(lambda: not known(run), 60)


def test_a_killed_trainer_and_a_job_that_slurm_forgot_are_told(folder: Path) -> None:
    run = enqueue(small_config(steps=LONG, save_every=2, log_every=1), folder, ENGINE)
    until(lambda: run.checkpoints(), 300)
    os.kill(run.state()["pid"], signal.SIGKILL)
    until(lambda: run.state()["state"] == "crashed", 10)
    until(lambda: not known(run), 60)

    wide = f"slurm(minutes=30, cpus={os.cpu_count()})"
    first, second, third = (enqueue(small_config(steps=LONG), folder, wide) for _ in range(3))
    until(lambda: first.state()["state"] == "running", 300)
    assert second.state()["state"] == third.state()["state"] == "queued"
    assert second.cancel()["state"] == "cancelled"
    until(lambda: not known(second), 60)
    subprocess.run(["scancel", job(third)], check=True)  # behind our back
    until(lambda: not known(third), 60)
    ask_after([first, third])
    assert first.state()["state"] == "running" and third.state()["state"] == "crashed"
    assert f"has ended job {job(third)}" in third.state()["reason"]
    first.cancel(now=True)


def test_what_slurm_refuses_is_said_in_its_words(folder: Path) -> None:
    before = RunStore(folder).ids()
    with pytest.raises(BadInput, match="invalid partition specified: nowhere"):
        enqueue(small_config(), folder, 'slurm(partition="nowhere")')
    assert RunStore(folder).ids() == before
