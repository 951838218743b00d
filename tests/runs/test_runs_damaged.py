"""Runs that cannot start, files that are damaged or were handed on: one run's trouble alone."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.runs.conftest import Small
from workbench.errors import BadInput
from workbench.runs import launching
from workbench.runs import queue as queues
from workbench.runs.identity import boot, start_mark
from workbench.runs.launching import cancel, enqueue, resume
from workbench.runs.queue import Queue, ensure_runner
from workbench.runs.store import Run, RunStore, read_json, write_json
from workbench.runs.surroundings import surroundings_of


def test_a_run_that_cannot_start_says_why_and_the_queue_goes_on(
    store: RunStore, small: Small
) -> None:
    broken, whole = store.create(small()), store.create(small(steps=1, warmup=0))
    (broken.path / "log.txt").mkdir()
    write_json(broken.path / "config.json", {**broken.record, "processes": "two"})
    queue = Queue(store.folder)
    for run in (broken, whole):
        queue.add(run)
    runner = [sys.executable, "-m", "workbench.runs.queue", str(store.folder)]
    subprocess.run(runner, check=True)
    assert whole.state()["state"] == "done" and queue.jobs() == []
    state = broken.state()
    assert state["state"] == "failed" and "could not start" in state["reason"]


def test_a_runner_that_ends_in_trouble_is_not_started_at_every_look(
    store: RunStore, small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    Queue(store.folder).add(store.create(small()))
    monkeypatch.setattr(queues.sys, "executable", "/bin/false")
    started: list[Any] = []
    popen = subprocess.Popen
    monkeypatch.setattr(
        queues.subprocess, "Popen", lambda *a, **k: started.append(popen(*a, **k)) or started[-1]
    )
    for _ in range(20):
        ensure_runner(store.folder)
        for each in started:
            each.wait()
    assert len(started) == 1


def test_a_process_that_has_not_said_who_it_is_ends_at_once_too(
    store: RunStore, small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = store.create(small(steps=1_000_000))
    queue = Queue(store.folder)
    queue.add(run)
    assert queue.claim() is not None
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
    queue.started(run.id, child.pid, str(start_mark(child.pid)))
    monkeypatch.setattr(launching, "END_WITHIN", 0.0)  # a machine so busy that ten seconds are few
    assert cancel(run, now=True)["state"] == "cancelled"
    assert start_mark(child.pid) is None and queue.jobs() == []
    child.wait()


@pytest.mark.parametrize("last_word", ["", "done"])
def test_a_trainer_that_was_leaving_as_it_was_ended_is_not_taken_for_a_crash(
    store: RunStore, small: Small, monkeypatch: pytest.MonkeyPatch, last_word: str
) -> None:
    run, child = store.create(small()), subprocess.Popen(["sleep", "100"])
    run.set_state(state="running", pid=child.pid, mark=str(start_mark(child.pid)))
    seen: list[str] = []

    def ended(pid: int, mark: str) -> None:
        (run.path / "stop").unlink()  # it had seen that it should stop, and
        if last_word:
            run.set_state(state=last_word)
        child.kill()
        child.wait()
        seen.append(run.state()["state"])

    monkeypatch.setattr(launching, "end_tree", ended)
    wanted = last_word or "cancelled"
    assert cancel(run, now=True)["state"] == wanted and seen == [wanted]


def test_an_orderly_restart_of_the_machine_is_no_wish_to_stop(
    store: RunStore, small: Small
) -> None:
    queue, mark = Queue(store.folder), str(start_mark(os.getpid()))
    before = mark.replace(boot(), "of-an-earlier-boot")
    for by_signal, after in ((True, "queued"), (False, "cancelled")):
        run = store.create(small())
        queue.add(run)
        assert queue.claim() is not None
        queue.started(run.id, os.getpid(), before)
        run.set_state(state="cancelled", by_signal=by_signal, host=os.uname().nodename, step=3)
        queue.settle()
        assert run.state()["state"] == after
        queue.remove(run.id)


def test_a_trainer_tells_a_signal_from_a_wish(store: RunStore, small: Small) -> None:
    """What the test above is told, by the trainer itself."""
    from workbench.runs.training import train

    for asked in (True, False):
        run = store.create(small())
        if asked:
            (run.path / "stop").touch()
        train(run, should_stop=lambda asked=asked: not asked)
        state = run.state()
        assert (state["state"], state["by_signal"]) == ("cancelled", not asked)


def test_a_queued_run_that_no_queue_knows_can_be_resumed(store: RunStore, small: Small) -> None:
    run = store.create(small(steps=1, warmup=0))  # who made it was ended before it was queued
    Queue(store.folder).set(paused=1)
    assert resume(run).state()["state"] == "queued"
    assert [job["run"] for job in Queue(store.folder).jobs()] == [run.id]
    with pytest.raises(BadInput, match="is queued; wait for its end"):
        resume(run)


def test_a_resumption_that_an_engine_refuses_leaves_the_run_as_it_was(
    store: RunStore, small: Small, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = store.create(small())
    run.set_state(state="failed", reason="out of time")
    write_json(run.path / "engine.json", {"engine": "slurm()", "job": "7"})
    before = read_json(run.path / "state.json")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadInput, match="no Slurm on this machine"):
        resume(run)
    assert read_json(run.path / "state.json") == before


@pytest.mark.parametrize(
    ("entry", "value"),
    [("pid", -1), ("pid", "abc"), ("pid", 1 << 80), ("state", ["x"]), ("state", "odd"),
     ("steps", "many"), ("step", True)],
)  # fmt: skip
def test_a_damaged_state_is_one_runs_trouble(
    entry: str, value: Any, store: RunStore, small: Small
) -> None:
    whole, damaged = store.create(small()), store.create(small())
    damaged.set_state(**{"state": "running", "mark": "m", entry: value})
    rows = {row["id"]: row for row in store.table()}
    assert rows[whole.id]["state"] == "queued"
    assert rows[damaged.id]["state"] in ("crashed", "failed")
    (damaged.path / "metrics.jsonl").write_text('{"step": "abc"}\n{"step": 1, "loss": 2}\n')
    assert [row["step"] for row in damaged.metrics()] == [1]


def test_a_damaged_queue_is_told_in_a_sentence(store: RunStore, small: Small) -> None:
    (store.folder / "queue.sqlite").write_bytes(b"this is no database at all" * 100)
    with pytest.raises(BadInput, match=r"damaged .*move that file away"):
        enqueue(small(), store.folder)


@pytest.mark.parametrize("values", [{"slots": 0}, {"slots": 10**30}, {"gpus": -1}, {"paused": 7}])
def test_the_queue_has_limits(values: dict[str, int], store: RunStore) -> None:
    with pytest.raises(BadInput, match="the queue cannot take"):
        Queue(store.folder).set(**values)


def test_what_was_handed_on_brings_no_code_and_leads_nowhere_else(
    store: RunStore, small: Small, tmp_path: Path
) -> None:
    told = {"variables": {"PYTHONPATH": "/evil", "LD_PRELOAD": "/evil.so", "OMP_NUM_THREADS": "3"}}
    given = surroundings_of(told)
    assert given["OMP_NUM_THREADS"] == "3" and "LD_PRELOAD" not in given
    assert "/evil" not in given.get("PYTHONPATH", "")
    assert surroundings_of({"variables": ["no", "names"]})["OMP_WAIT_POLICY"]
    run: Run = store.create(small())
    for folder, name in (
        ("pictures", "step-00000001-x.png"),
        ("checkpoints", "step-00000001.safetensors"),
    ):
        (run.path / folder).mkdir(exist_ok=True)
        (run.path / folder / name).symlink_to("/etc/passwd")
    assert run.pictures() == [] and run.checkpoints() == []


def test_a_file_in_the_working_folder_is_not_taken_for_a_module(
    store: RunStore, small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "random.py").write_text("raise SystemExit('this is not the module random')")
    monkeypatch.chdir(tmp_path)
    run = enqueue(small(steps=1, warmup=0), store.folder)
    began = time.monotonic()
    assert run.wait(timeout=120)["state"] == "done", time.monotonic() - began
