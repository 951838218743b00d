"""Runs that are handed over, with submitit's executor for this machine in Slurm's place.

The same pickles, signals and requeueing as on a cluster; `make slurm` asks a real one.
"""

import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import psutil
import pytest
import submitit

from tests.runs.conftest import Small, until
from workbench.errors import BadInput
from workbench.runs import handing
from workbench.runs.engines import ENGINES
from workbench.runs.engines.slurm import Slurm
from workbench.runs.launching import enqueue
from workbench.runs.store import HANDED, RunStore, write_json

LONG = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Here(Slurm):
    """Slurm's engine with submitit's local executor."""

    name: ClassVar[str] = "slurm"

    started: ClassVar[list[Any]] = []

    def executor(self, folder: Path, name: str) -> Any:
        found = submitit.LocalExecutor(folder, max_num_timeout=self.again)
        found.update_parameters(timeout_min=5)
        submit = found.submit
        found.submit = lambda task: self.started.append(submit(task)) or self.started[-1]
        return found

    def active(self, folder: str) -> set[str]:
        return {str(pid) for pid in psutil.pids()}

    def end(self, job: str, folder: str) -> None:
        for each in [*psutil.Process(int(job)).children(recursive=True), psutil.Process(int(job))]:
            each.kill()


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(ENGINES._found, "slurm", Here)
    yield
    while Here.started:
        Here.started.pop()._process.wait(20)


@pytest.mark.usefixtures("here")
def test_a_run_that_is_out_of_time_goes_on_and_ends_at_once_when_told(
    small: Small, tmp_path: Path
) -> None:
    folder = tmp_path / "runs"
    run = enqueue(small(steps=LONG, save_every=LONG, log_every=1), folder, "slurm(minutes=5)")
    until(lambda: len(run.metrics()) > 2)
    has = handing.handed(run)
    assert has is not None and str(has[0]) == "slurm(minutes=5)"
    task = psutil.Process(int(has[1])).children()[0]
    task.send_signal(signal.SIGUSR2)  # what Slurm sends before the time is up
    until(lambda: run.state().get("tries") == 1)
    saved = run.checkpoints()[-1][0]
    assert saved >= 3 and run.state()["state"] == "queued"
    until(lambda: run.state()["state"] == "running" and run.metrics()[-1]["step"] > saved)
    pid = run.state()["pid"]
    assert run.cancel(now=True)["state"] == "cancelled"
    until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie", 10)


def test_a_job_that_its_engine_gave_up_is_told(
    small: Small, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [store.create(small(seed=seed)) for seed in range(3)]
    for run, job in zip(runs, ("17", "18", "19"), strict=True):
        write_json(run.path / HANDED, {"engine": "slurm()", "job": job})
    runs[2].set_state(state="done")
    monkeypatch.setattr(Slurm, "active", lambda self, folder: None)
    handing.ask_after(runs)  # Slurm does not answer: nothing is known
    assert [run.state()["state"] for run in runs] == ["queued", "queued", "done"]
    monkeypatch.setattr(Slurm, "active", lambda self, folder: {"17"})
    handing.ask_after(runs)
    assert [run.state()["state"] for run in runs] == ["queued", "crashed", "done"]
    assert "slurm has ended job 18" in runs[1].state()["reason"]


def test_a_run_of_another_machine_lives_by_its_heartbeat(small: Small, store: RunStore) -> None:
    run = store.create(small())
    run.set_state(state="running", pid=os.getpid(), mark="another:1", host="elsewhere")
    assert run.state()["state"] == "crashed"
    (run.path / "beat").touch()
    assert run.state()["state"] == "running"
    os.utime(run.path / "beat", (0, 0))
    assert run.state()["state"] == "crashed"


def test_without_submitit_or_slurm_it_says_what_to_do_and_leaves_nothing(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadInput, match="no Slurm on this machine"):
        enqueue(small(), tmp_path / "runs", "slurm()")
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(BadInput, match=r"pip install 'mask-workbench\[slurm\]'"):
        enqueue(small(), tmp_path / "runs", "slurm()")
    with pytest.raises(BadInput, match="no known engine; choose one of: ray, slurm"):
        enqueue(small(), tmp_path / "runs", "swarm()")
    assert RunStore(tmp_path / "runs").ids() == []
