"""A process that the kernel ended for lack of memory: told by its counters, and only by them."""

import json
import os
import time
from pathlib import Path
from socket import gethostname

import pytest

from tests.runs.conftest import Small, Trainers
from workbench.runs import killed
from workbench.runs.queue import Queue
from workbench.runs.store import BEAT, CRASHED, Run, RunStore


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files as a kernel has them, below a folder; nothing has been killed."""
    monkeypatch.setattr(killed, "GROUPS", tmp_path / "groups")
    monkeypatch.setattr(killed, "MACHINE", tmp_path / "vmstat")
    monkeypatch.setattr(killed, "OWN_GROUPS", tmp_path / "own")
    (tmp_path / "vmstat").write_text("nr_free_pages 7\noom_kill 4\nswap_ra 1\n")
    return tmp_path


def group(kernel: Path, name: str, count: int) -> Path:
    file = kernel / "groups" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"low 0\nhigh 0\nmax 12\noom 3\noom_kill {count}\noom_group_kill 0\n")
    return file


def dead(store: RunStore, small: Small) -> Run:
    """A run whose process is gone without a word, its last heartbeat just behind it."""
    run = store.create(small(batch=256))
    told = {"pid": os.getpid(), "mark": "gone", "host": gethostname()}
    run.set_state(state="running", memory=3100 * 2**20, **told)
    beat(run, json.dumps(killed.counted()))
    return run


def beat(run: Run, text: str) -> None:
    """A heartbeat that is just behind, however long a busy machine takes over a test."""
    (run.path / BEAT).write_text(text)
    later = time.time() + 3600
    os.utime(run.path / BEAT, (later, later))


def test_a_group_that_lost_a_process_tells_the_cause(
    store: RunStore, small: Small, kernel: Path
) -> None:
    (kernel / "own").write_text("0::/app/run.scope\n")
    file = group(kernel, "app/run.scope/memory.events", 1)
    run = dead(store, small)
    group(kernel, "memory.events", 9)  # of others, and of the machine: not of this group
    (kernel / "vmstat").write_text("oom_kill 8\n")
    assert run.state()["reason"] == f"{CRASHED} (it had taken 3,100 MB)"
    file.write_text("oom 4\noom_kill 2\n")
    state = run.state()
    assert state["state"] == "crashed"
    assert state["reason"] == (
        "the kernel ended it, for memory had run out (it had taken 3,100 MB); free some and resume "
        "it, or start a new run with a smaller batch than 256"
    )
    queue = Queue(store.folder)  # whoever looks after the folder writes it down
    queue.add(run)
    assert queue.claim() is not None
    queue.started(run.id, os.getpid(), "gone")
    queue.settle()
    file.unlink()
    assert run.state()["reason"] == state["reason"]


def test_the_machines_number_is_no_more_than_a_hint(
    store: RunStore, small: Small, kernel: Path
) -> None:
    run = dead(store, small)  # in no group
    (kernel / "vmstat").write_text("oom_kill 5\n")
    assert "most likely this one (it had taken 3,100 MB); free some" in run.state()["reason"]
    os.utime(run.path / BEAT, (0, 0))  # who looks long after cannot know whom it ended since
    assert run.state()["reason"].startswith(CRASHED)


def test_nothing_is_claimed_without_a_number_of_this_machine(
    store: RunStore, small: Small, kernel: Path
) -> None:
    run = dead(store, small)
    (kernel / "vmstat").write_text("oom_kill 5\n")
    (kernel / "other").write_text("oom_kill 5\n")
    wrong = ("", "[]", '{"%s": 0}' % (kernel / "other"), '{"%s": "4"}' % (kernel / "vmstat"))
    for text in wrong:
        beat(run, text)
        assert run.state()["reason"].startswith(CRASHED), text
    beat(run, json.dumps({str(kernel / "vmstat"): 4}))
    assert "most likely" in run.state()["reason"]
    run.set_state(host="another machine")
    os.utime(run.path / BEAT, (0, 0))
    assert run.state()["reason"].startswith(CRASHED)


GROUPS_OF = {  # what /proc/self/cgroup says, and the file that counts then
    "0::/user.slice/a.scope\n": "user.slice/memory.events",  # its own has no memory controller
    "0::/\n": "memory.events",  # a container's
    "5:cpu,cpuacct:/\n4:memory:/job/step\n0::/\n": "memory/job/step/memory.oom_control",
    "4:memory:/docker/1f\n": "memory/memory.oom_control",  # whose path is that of outside
}


@pytest.mark.parametrize("said", GROUPS_OF)
def test_the_nearest_group_that_counts_is_read(kernel: Path, said: str) -> None:
    (kernel / "own").write_text(said)
    group(kernel, GROUPS_OF[said], 3)
    assert killed.counted() == {str(kernel / "groups" / GROUPS_OF[said]): 3}


def test_without_any_number_nothing_is_noted(kernel: Path) -> None:
    (kernel / "vmstat").write_text("nr_free_pages 7\n")  # of Linux before 4.13
    assert killed.counted() == {} and killed.ended_by_kernel({}) == ""


def test_a_trainer_notes_the_numbers_with_its_heartbeat(
    store: RunStore, small: Small, trainers: Trainers
) -> None:
    run = store.create(small(steps=1))
    assert trainers.train(run) == 0
    assert list(json.loads((run.path / BEAT).read_text())) == list(killed.counted())
