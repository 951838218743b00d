"""The queue: each job once, GPUs shared out, and what is left of whoever died over it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.runs.conftest import Small, until
from workbench.runs.identity import boot, start_mark
from workbench.runs.queue import Queue, gpus_of
from workbench.runs.store import Run, RunStore

CLAIMING = """
import sys
from pathlib import Path
from workbench.runs.queue import Queue
queue = Queue(Path(sys.argv[1]))
sys.stdin.readline()
while (job := queue.claim()) is not None:
    print(job[0])
"""


def queued(store: RunStore, small: Small, *knobs: dict[str, object]) -> tuple[Queue, list[Run]]:
    """A queue that holds a run for each set of knobs."""
    queue, runs = Queue(store.folder), [store.create(small(**each)) for each in knobs]
    for run in runs:
        queue.add(run)
    return queue, runs


def job(queue: Queue, run: Run) -> dict[str, Any]:
    return next(each for each in queue.jobs() if each["run"] == run.id)


@pytest.fixture
def sleeper() -> Any:
    process = subprocess.Popen(["sleep", "100"])
    yield process
    process.kill()
    process.wait()


def test_processes_that_claim_at_once_get_each_job_once(store: RunStore, small: Small) -> None:
    queue, runs = queued(store, small, *({"seed": seed} for seed in range(12)))
    queue.set(slots=100, gpus=0)
    claimers = [
        subprocess.Popen([sys.executable, "-c", CLAIMING, str(store.folder)], text=True,
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(3)
    ]  # fmt: skip
    said = [each.communicate("go\n")[0].split() for each in claimers]
    assert sorted(name for names in said for name in names) == sorted(run.id for run in runs)
    assert sorted(each["slot"] for each in queue.jobs()) == list(range(12))


def test_a_run_of_several_processes_gets_a_gpu_for_each(
    store: RunStore, small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = {"processes": 2}
    queue, runs = queued(store, small, {}, two, {"seed": 1}, {**two, "device": "cpu"}, two)
    queue.set(gpus=2, slots=4)
    assert queue.claim() == (runs[0].id, [0])
    assert queue.claim() == (runs[1].id, [1, 2]) and gpus_of([1, 2], 2) == "1,0"
    assert queue.claim() == (runs[2].id, [3]) and queue.claim() is None
    queue.ended(runs[0].id)
    assert queue.claim() == (runs[3].id, [0])  # on the CPU: one slot, whatever its processes
    queue.ended(runs[3].id)
    assert queue.claim() is None  # two slots are needed, and nobody overtakes who waits for them
    queue.ended(runs[2].id)
    assert queue.claim() == (runs[4].id, [0, 3])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    assert gpus_of([0, 3], 2) == "4,7"


def test_a_job_whose_runner_died_before_it_began_waits_again(store: RunStore, small: Small) -> None:
    queue, (run,) = queued(store, small, {})
    done = subprocess.run(
        [sys.executable, "-c", CLAIMING, str(store.folder)], input="\n", text=True,
        capture_output=True,
    )  # fmt: skip
    assert done.stdout.split() == [run.id] and job(queue, run)["state"] == "started"
    queue.settle()
    assert job(queue, run)["state"] == "waiting" and queue.claim() == (run.id, [0])


def test_a_trainer_whose_runner_died_is_adopted_by_what_it_says_of_itself(
    store: RunStore, small: Small, sleeper: "subprocess.Popen[bytes]"
) -> None:
    queue, (run,) = queued(store, small, {})
    assert queue.claim() is not None
    mark = start_mark(sleeper.pid)
    run.set_state(state="running", pid=sleeper.pid, mark=mark)
    queue.settle()
    assert (job(queue, run)["pid"], job(queue, run)["mark"]) == (sleeper.pid, mark)
    sleeper.kill()
    sleeper.wait()
    queue.settle()
    assert queue.jobs() == [] and run.state()["state"] == "crashed"
    assert "killed" in run.state()["reason"]


def test_what_the_machines_restart_ended_goes_on_before_what_waits(
    store: RunStore, small: Small, tmp_path: Path
) -> None:
    queue, (one, other) = queued(store, small, {"seed": 0}, {"seed": 1})
    queue.set(slots=1, gpus=0)
    assert queue.claim() == (one.id, [0])
    mark = start_mark(os.getpid())
    assert mark is not None and mark.startswith(boot())
    before = mark.replace(boot(), "of-an-earlier-boot")  # same number, same ticks, another boot
    queue.started(one.id, os.getpid(), before)
    here = {"state": "running", "pid": os.getpid(), "mark": before, "step": 7}
    one.set_state(**here, host="elsewhere")
    again = Queue(store.folder)  # as a server makes it that starts afterwards
    again.settle()
    assert [each["run"] for each in again.jobs()] == [other.id]  # nobody else's machine is judged
    again.add(one)
    assert again.claim() == (other.id, [0])
    again.started(other.id, os.getpid(), before)
    other.set_state(**here, host=os.uname().nodename)
    again.settle()
    assert [(each["run"], each["state"]) for each in again.jobs()] == [
        (other.id, "waiting"), (one.id, "waiting"),
    ]  # fmt: skip
    state = other.state()
    assert state["state"] == "queued" and "the machine was restarted" in state["reason"]
    assert other.alerts()[0]["kind"] == "restart" and psutil.pid_exists(os.getpid())


@pytest.mark.parametrize("keep_going", [0, 1])
def test_after_a_failure_the_queue_goes_on_or_waits_as_it_was_told(
    keep_going: int, store: RunStore, small: Small
) -> None:
    queue, runs = queued(store, small, {"seed": 0}, {"seed": 1})
    queue.set(keep_going=keep_going, slots=1)
    assert queue.claim() == (runs[0].id, [0])
    gone = subprocess.Popen(["true"])
    queue.started(runs[0].id, gone.pid, str(start_mark(gone.pid)))
    gone.wait()
    runs[0].set_state(state="failed", problem="nan", reason="the loss of step 3 is nan")
    queue.settle()
    assert queue.settings()["paused"] == 1 - keep_going
    assert queue.claim() == ((runs[1].id, [0]) if keep_going else None)
    assert json.loads((runs[0].path / "state.json").read_text())["state"] == "failed"
    until(lambda: len(queue.jobs()) == 1)
