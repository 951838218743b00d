"""What goes wrong, provoked in real processes: the state says what happened and what is left."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.runs.conftest import Small, Trainers, picture_folder, until
from tests.runs.kills import killed
from workbench.cli import run as run_command
from workbench.errors import BadInput
from workbench.runs import checkpoints
from workbench.runs.identity import alive, start_mark
from workbench.runs.launching import cancel, enqueue, get, resume, wait
from workbench.runs.queue import Queue, ensure_runner
from workbench.runs.rehearsing import preflight
from workbench.runs.spelling import command
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


def test_a_gradient_that_is_no_number_is_traced_to_its_own_batch(
    store: RunStore, small: Small, trainers: Trainers
) -> None:
    """The loss of step 4 is a number and its update spoils all weights; step 5 notices."""
    run = store.create(small(steps=9, save_every=3, log_every=1, crop=1.0))
    assert trainers.train(run, gradient=4) == 1
    assert run.state()["problem"] == "nan" and [row["step"] for row in run.metrics()] == [
        1,
        2,
        3,
        4,
    ]
    found = json.loads((run.path / "offending_batch.json").read_text())
    assert found["step"] == 4 and "the loss of step 5 is nan" in found["reason"]
    # The order of an epoch as its definition has it: batch 3 of 16 rows is of step 4.
    order = np.random.Generator(np.random.Philox(key=[0, 1])).permutation(1438)
    assert found["ids"] == order[48:64].tolist()
    kept = checkpoints.newest(run.path / CHECKPOINTS)
    assert kept is not None and kept.step == 3
    assert all(value.isfinite().all() for value in kept.tensors.values())


def test_a_full_disk_leaves_no_half_file_and_a_word(
    store: RunStore, small: Small, trainers: Trainers
) -> None:
    run = store.create(small(steps=4, dim=64))
    assert trainers.train(run, longest_file=100_000) == 1  # the kernel refuses to write beyond
    state = run.state()
    assert (state["state"], state["problem"]) == ("failed", "disk"), state
    assert "make room and resume" in state["reason"]
    assert list((run.path / CHECKPOINTS).iterdir()) == []
    run.set_state(step=0)
    metrics = run.path / "metrics.jsonl"
    metrics.unlink()
    metrics.symlink_to("/dev/full")  # where the kernel says that no space is left
    assert trainers.train(run) == 1
    assert (run.state()["state"], run.state()["problem"]) == ("failed", "disk")
    assert "No space left on device" in run.state()["reason"]
    metrics.unlink()
    assert trainers.train(run) == 0 and run.state()["state"] == "done"
    assert run.checkpoints()[0][1].stat().st_size > 100_000


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
from collections.abc import Iterator
from pathlib import Path
import torch
from workbench.runs import checkpoints
torch.set_num_threads(1)
folder, rng = Path(sys.argv[1]), random.Random(7)
model = torch.nn.Sequential(*[torch.nn.Linear(96, 96) for _ in range(8)])
adam = torch.optim.AdamW(model.parameters(), fused=True)
model(torch.ones(1, 96)).sum().backward()
adam.step()
began = time.monotonic()
checkpoints.save(folder.parent / "timed", 1, {"x": 1}, model, [adam], 3)
took = max(0.01, time.monotonic() - began)  # a busy machine is slower, and not evenly
torn, last, before = 0, 0, 0
for kill in range(int(sys.argv[2])):
    child = os.fork()
    if child == 0:
        step = last
        while True:
            step += 1
            with torch.no_grad():
                model[0].weight.fill_(float(step))
            checkpoints.save(folder, step, {"x": 1}, model, [adam], 3)
    time.sleep(rng.uniform(0.1, 4.0) * took)
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
    if last == before:
        took *= 1.3
    before = last
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
    store: RunStore, trainers: Trainers
) -> None:
    seen = killed(trainers, store, kills=5)
    assert seen["resumed"] >= 3 and seen["equal_to_an_unbroken_run"]  # see kills.py


SERVER = """
import json, sys, time
from workbench.runs.config import RunConfig
from workbench.runs.launching import enqueue
print(enqueue(RunConfig.read(json.loads(sys.argv[1])), sys.argv[2]).id, flush=True)
time.sleep(1000)
"""


@contextlib.contextmanager
def seen_states(run: Run) -> Iterator[set[str]]:
    """What somebody who looks all the time is told."""
    states: set[str] = set()
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            states.add(run.state()["state"])

    looker = threading.Thread(target=look)
    looker.start()
    try:
        yield states
    finally:
        over.set()
        looker.join()


def test_a_run_outlives_its_server_is_stopped_by_another_goes_on_and_ends_at_once(
    small: Small, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "runs"
    record = json.dumps(small(steps=LONG, save_every=LONG).record())
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, record, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert server.stdout is not None
    run = get(server.stdout.readline().strip(), folder)
    server.stdout.close()
    until(lambda: run.state()["step"] > 2)
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()
    seen = run.state()["step"]
    until(lambda: run.state()["step"] > seen)
    assert run_command(["runs", "list", "--json", "--dir", str(folder)]) == 0
    (row,) = json.loads(capsys.readouterr().out)["runs"]
    assert (row["id"], row["state"]) == (run.id, "running")
    cancel(run)
    state = wait(run, 60)
    assert state["state"] == "cancelled" and run.checkpoints()[-1][0] == state["step"]
    with pytest.raises(BadInput, match=r"seed was 0 and is 1"):
        resume(run, {"seed": 1})
    resume(run, {"keep": 2})
    until(lambda: run.state()["step"] > state["step"] and run.state()["state"] == "running")
    pid = run.state()["pid"]
    began = time.monotonic()
    with seen_states(run) as states:
        assert cancel(run, now=True)["state"] == "cancelled"
        assert time.monotonic() - began < 10 and start_mark(pid) is None
    assert states <= {"running", "stopping", "cancelled"}  # nobody took it for a crash
    until(lambda: Queue(run.path.parent).jobs() == [])


def test_a_changed_configuration_is_refused_by_the_trainer_too(
    store: RunStore, small: Small, trainers: Trainers
) -> None:
    run = store.create(small(steps=LONG, save_every=1))
    pid = trainers.start(run)
    until(run.checkpoints)
    os.kill(pid, signal.SIGTERM)
    assert trainers.wait(pid) == 0
    text = (run.path / "config.json").read_text()
    changed = text.replace('"lr": 0.001', '"lr": 0.002').replace('"seed": 0', '"seed": 1')
    (run.path / "config.json").write_text(changed)
    kept = run.checkpoints()
    assert trainers.train(run) == 1 and run.checkpoints() == kept
    state = run.state()
    assert (state["state"], state["problem"]) == ("failed", "input")
    assert "(lr was 0.001 and is 0.002, seed was 0 and is 1); put these back" in state["reason"]


def test_a_process_is_never_mistaken_for_another(store: RunStore, small: Small) -> None:
    """A number that was given to another process, and a clock that was moved."""
    run = store.create(small())
    mark = start_mark(os.getpid())
    assert mark is not None and alive(os.getpid(), mark)
    run.set_state(state="running", pid=os.getpid(), mark="of another boot:1", memory=2**30)
    assert run.state()["state"] == "crashed"
    assert run.state()["reason"].endswith("out of memory (it had taken 1,024 MB)")
    assert cancel(run, now=True)["state"] == "crashed"  # and nothing was killed
    script = "import time; time.time = lambda: 0.0\nfrom workbench.runs.identity import *\n"
    script += f"print(alive({os.getpid()}, {mark!r}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "True"
    still = RunStore(store.folder, clock=lambda: 0.0)
    past = [still.create(small()) for _ in range(60)]  # a clock that stands, and has been set back
    assert len({run.id for run in past}) == 60 and {run.id for run in past} < set(store.ids())
    assert Run(past[0].path).state()["state"] == "queued"


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
        starts = [line for line in run.log() if line.startswith(("begins at", "goes on"))]
        assert len(starts) == 1, run.log()
    log.close()


HOSTILE = ["<script>alert(1)</script>", "; rm -rf ~", "🦊 $(id) `id`", "../../etc/passwd", "a\nb"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_data_everywhere(name: str, store: RunStore, small: Small) -> None:
    run = store.create(small(name=name, group=name, preset=name))
    assert run.path.parent == store.folder and all(c.isalnum() or c in "_-" for c in run.id)
    assert run.config.name == name and store.table()[0]["config"]["name"] == name
    with pytest.raises(BadInput, match="no run is called"):
        get(name, store.folder)
    line = command("digits_mae_tiny", {"name": name, "steps": 9})
    shell = f"python() {{ printf '%s\\0' \"$@\"; }}; {line}"
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True)
    words = ["-m", "workbench", "train", "digits_mae_tiny", f"name={name}", "steps=9", ""]
    assert done.stdout.split("\0") == words and done.stderr == ""


def test_a_run_under_hostile_names_trains_and_is_shown_as_data(
    store: RunStore, small: Small, trainers: Trainers, capsys: pytest.CaptureFixture[str]
) -> None:
    name = " ".join(HOSTILE) + "; touch here"
    run = store.create(small(steps=2, name=name, group=name, preset=name, picture_every=1))
    assert trainers.train(run) == 0
    assert [each.name for each in store.folder.iterdir()] == [run.id]
    assert {each.suffix for each in run.path.rglob("*")} <= {
        "", ".json", ".jsonl", ".txt", ".png", ".safetensors", ".lock",
    }  # fmt: skip
    assert run_command(["runs", "show", run.id, "--json", "--dir", str(store.folder)]) == 0
    assert json.loads(capsys.readouterr().out)["config"]["name"] == name
