"""What goes wrong, provoked in real processes: the state says what happened and what is left."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.runs.conftest import Small, Trainers, until
from workbench.errors import BadInput
from workbench.runs import checkpoints
from workbench.runs.identity import alive, start_mark
from workbench.runs.launching import cancel, enqueue, get, resume, wait
from workbench.runs.queue import Queue, ensure_runner
from workbench.runs.rehearsing import preflight
from workbench.runs.store import CHECKPOINTS, Run, RunStore

LONG = 1_000_000


def test_out_of_memory_says_which_batch_fits_and_that_batch_trains(
    store: RunStore, small: Small, trainers: Trainers
) -> None:
    wide = {
        "dim": 32,
        "depth": 1,
        "memory": 600,
        "size": 32,
        "patch": 2,
        "steps": 2,
        "precision": "fp32",
    }
    run = store.create(small(**wide, batch=1024))
    assert trainers.train(run) == 1
    state = run.state()
    assert (state["state"], state["problem"]) == ("failed", "memory"), state
    fits = state["fits"]
    assert 0 < fits < 1024 and f"batch={fits}" in state["reason"]
    again = store.create(small(**wide, batch=fits))
    assert trainers.train(again) == 0 and again.state()["state"] == "done"
    found = preflight(small(**wide, batch=1024), store.folder)
    assert found["fits"] and "does not fit in memory" in found["problems"][0]


def test_no_number_stops_keeps_the_checkpoint_and_names_the_batch(
    store: RunStore, small: Small, trainers: Trainers
) -> None:
    run = store.create(small(steps=9, save_every=1, log_every=1, keep=2))
    assert trainers.train(run, poison=4) == 1
    state = run.state()
    assert (state["state"], state["problem"]) == ("failed", "nan")
    assert [step for step, _ in run.checkpoints()] == [2, 3]
    found = json.loads((run.path / "offending_batch.json").read_text())
    assert found["step"] == 4 and len(found["ids"]) == len(found["names"]) == 16
    alert = run.alerts()[-1]
    assert alert["kind"] == "nan" and "the checkpoint of step 3 stays" in alert["sentence"]
    assert trainers.train(run) == 0 and run.state()["state"] == "done"  # it was not the weights


def test_a_full_disk_leaves_no_half_file_and_a_word(
    store: RunStore, small: Small, trainers: Trainers
) -> None:
    run = store.create(small(steps=4, dim=64))
    assert trainers.train(run, longest_file=100_000) == 1  # the kernel refuses to write beyond
    state = run.state()
    assert (state["state"], state["problem"]) == ("failed", "disk"), state
    assert "make room and resume" in state["reason"]
    assert list((run.path / CHECKPOINTS).iterdir()) == []
    assert trainers.train(run) == 0 and run.state()["state"] == "done"
    assert run.checkpoints()[0][1].stat().st_size > 100_000


def picture_folder(place: Path, count: int = 12) -> Path:
    place.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(count):
        pixels = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(place / f"photo{i}.png")
    return place


def test_a_damaged_picture_is_named_and_left_out_up_to_the_limit(
    store: RunStore, small: Small, trainers: Trainers, tmp_path: Path
) -> None:
    folder = picture_folder(tmp_path / "photos")
    whole = (folder / "photo3.png").read_bytes()
    (folder / "photo3.png").write_bytes(whole[: len(whole) // 2])
    config = small(data=f'folder(path="{folder}", skip=1)', size=16, patch=4, batch=4, steps=3)
    run = store.create(config)
    assert trainers.train(run) == 0
    alerts = [each for each in run.alerts() if each["kind"] == "data"]
    assert len(alerts) == 1 and "photo3.png" in alerts[0]["sentence"]
    assert preflight(config, store.folder)["skipped"][0][0] == "photo3.png"
    (folder / "photo5.png").write_bytes(whole[:60])
    run = store.create(config)
    assert trainers.train(run) == 1
    assert run.state()["problem"] == "data" and "photo" in run.state()["reason"]


def test_a_data_folder_that_is_gone_is_named(
    store: RunStore, small: Small, trainers: Trainers, tmp_path: Path
) -> None:
    folder = picture_folder(tmp_path / "photos")
    run = store.create(small(data=f'folder(path="{folder}")', size=16, patch=4, batch=4))
    folder.rename(tmp_path / "elsewhere")
    assert trainers.train(run) == 1
    state = run.state()
    assert (state["state"], state["problem"]) == ("failed", "data")
    assert str(folder) in state["reason"]


WRITER = """
import os, random, signal, sys, time
from pathlib import Path
import torch
from workbench.runs import checkpoints
torch.set_num_threads(1)
folder, rng = Path(sys.argv[1]), random.Random(7)
model = torch.nn.Sequential(*[torch.nn.Linear(96, 96) for _ in range(8)])
adam = torch.optim.AdamW(model.parameters(), fused=True)
model(torch.ones(1, 96)).sum().backward()
adam.step()
torn, last = 0, 0
for kill in range(int(sys.argv[2])):
    child = os.fork()
    if child == 0:
        step = last
        while True:
            step += 1
            with torch.no_grad():
                model[0].weight.fill_(float(step))
            checkpoints.save(folder, step, {"x": 1}, model, [adam], 3)
    time.sleep(rng.uniform(0.001, 0.06))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    found = checkpoints.newest(folder)
    parts = sorted(folder.glob("step-*.safetensors")) if folder.is_dir() else []
    torn += len(list(folder.glob(".step-*"))) if folder.is_dir() else 0
    if parts:
        assert found is not None and found.step == int(parts[-1].stem[5:]), (found, parts)
        assert (found.tensors["model.0.weight"] == found.step).all()
        assert found.step >= last and len(parts) <= 4
        last = found.step
assert last > 0
print(last, torn)
"""


def test_a_writer_killed_at_50_random_points_always_leaves_a_whole_checkpoint(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path / "checkpoints"), "50"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    steps, torn = map(int, done.stdout.split())
    assert steps > 20 and torn > 0  # it was killed in the middle of writing, too


def test_a_training_killed_5_times_goes_on_and_equals_an_unbroken_one(
    store: RunStore, small: Small, trainers: Trainers
) -> None:
    config = small(steps=60, save_every=2, log_every=1, keep=2)
    whole, broken = store.create(config), store.create(config)
    assert trainers.train(whole) == 0
    rng = random.Random(3)
    for kill in range(5):
        pid = trainers.start(broken)
        until(lambda want=8 * (kill + 1): any(r["step"] >= want for r in broken.metrics()))
        time.sleep(rng.uniform(0, 0.02))
        os.kill(pid, signal.SIGKILL)
        trainers.wait(pid)
        assert broken.state()["state"] in ("crashed", "done")
        assert checkpoints.newest(broken.path / CHECKPOINTS) is not None
    assert trainers.train(broken) == 0
    one = checkpoints.newest(whole.path / CHECKPOINTS)
    other = checkpoints.newest(broken.path / CHECKPOINTS)
    assert one is not None and other is not None and one.step == other.step == 60
    assert all((one.tensors[name] == other.tensors[name]).all() for name in one.tensors)
    assert [r["loss"] for r in whole.metrics()] == [r["loss"] for r in broken.metrics()]


def test_cancel_after_a_checkpoint_resume_and_cancel_now(small: Small, tmp_path: Path) -> None:
    run = enqueue(small(steps=LONG, save_every=LONG), tmp_path / "runs")
    until(lambda: run.state()["step"] > 2)
    cancel(run)
    state = wait(run, 60)
    assert state["state"] == "cancelled" and run.checkpoints()[-1][0] == state["step"]
    with pytest.raises(BadInput, match=r"seed was 0 and is 1"):
        resume(run, {"seed": 1})
    resume(run, {"keep": 2})
    until(lambda: run.state()["step"] > state["step"] and run.state()["state"] == "running")
    pid = run.state()["pid"]
    began = time.monotonic()
    assert cancel(run, now=True)["state"] == "cancelled"
    assert time.monotonic() - began < 10 and start_mark(pid) is None
    until(lambda: Queue(run.path.parent).jobs() == [])


def test_a_process_is_never_mistaken_for_another(store: RunStore, small: Small) -> None:
    """A number that was given to another process, and a clock that was moved."""
    run = store.create(small())
    mark = start_mark(os.getpid())
    assert mark is not None and alive(os.getpid(), mark)
    run.set_state(state="running", pid=os.getpid(), mark="of another boot:1")
    assert run.state()["state"] == "crashed"
    assert cancel(run, now=True)["state"] == "crashed"  # and nothing was killed
    script = "import time; time.time = lambda: 0.0\nfrom workbench.runs.identity import *\n"
    script += f"print(alive({os.getpid()}, {mark!r}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "True"
    past = RunStore(store.folder, clock=lambda: 0.0).create(small())
    assert past.id in store.ids() and Run(past.path).state()["state"] == "queued"


def test_a_second_trainer_of_a_run_is_turned_away(
    store: RunStore, small: Small, trainers: Trainers
) -> None:
    run = store.create(small(steps=LONG, save_every=LONG))
    first = trainers.start(run)
    until(lambda: run.state()["step"] > 0)
    assert trainers.train(run) == 3
    assert run.state()["pid"] == first and run.state()["state"] == "running"
    os.kill(first, signal.SIGTERM)
    assert trainers.wait(first) == 0 and run.state()["state"] == "cancelled"


def test_two_runners_on_a_folder_start_each_job_once_and_a_killed_one_is_replaced(
    small: Small, tmp_path: Path
) -> None:
    folder = tmp_path / "runs"
    queue = Queue(RunStore(folder).folder)
    queue.set(paused=1, slots=2)
    runs = [enqueue(small(steps=40, name=f"run {i}"), folder) for i in range(3)]
    log = (tmp_path / "log").open("ab")
    servers = [
        subprocess.Popen([sys.executable, "-m", "workbench.runs.queue", str(folder)], stderr=log)
        for _ in range(2)
    ]
    queue.move(runs[2].id, 0)
    queue.set(paused=0)
    ensure_runner(folder)
    until(lambda: any(run.state()["state"] in ("starting", "running") for run in runs))
    going = [job["run"] for job in queue.jobs() if job["state"] == "started"]
    assert runs[2].id in going or runs[2].state()["state"] == "done"
    for server in servers:
        server.kill()
        server.wait()
    ensure_runner(folder)
    assert [wait(run, 90)["state"] for run in runs] == ["done"] * 3
    for run in runs:
        starts = [line for line in run.log() if "weights" in line]
        assert len(starts) == 1, run.log()
    log.close()


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "; rm -rf ~", "🦊 $(id) `id`",
                                  "../../etc/passwd", "a\nb"])  # fmt: skip
def test_a_hostile_name_is_data_everywhere(name: str, store: RunStore, small: Small) -> None:
    run = store.create(small(name=name, group=name, preset=name))
    assert run.path.parent == store.folder and all(c.isalnum() or c in "_-" for c in run.id)
    assert run.config.name == name and store.table()[0]["config"]["name"] == name
    with pytest.raises(BadInput, match="no run is called"):
        get(name, store.folder)
