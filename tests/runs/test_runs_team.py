"""Two processes that share every batch give the loss curve of one, and end together."""

import copy
import os
import signal
import subprocess
import threading
import time
from types import SimpleNamespace

import psutil
import pytest
import torch

from tests.objectives.subject import Ready, ready
from tests.runs.conftest import Small, Trainers, until
from workbench.commands.runs import _rehearsed as rehearsed
from workbench.errors import BadInput
from workbench.objectives import OBJECTIVES, Batch
from workbench.runs import rehearsing, team
from workbench.runs.identity import start_mark
from workbench.runs.setting import setting
from workbench.runs.store import Run, RunStore
from workbench.runs.training import Trainer

LONG = 1_000_000


def members(run: Run) -> list[psutil.Process]:
    """The processes of a run's team: torchrun and those it started."""
    found = []
    for each in psutil.process_iter():
        try:
            words = each.cmdline()
            if str(run.path) in words and each.status() != psutil.STATUS_ZOMBIE:
                found.append(each)
        except psutil.Error:
            continue
    return found


def test_two_processes_give_the_curve_of_one_and_end_together_however_they_end(
    store: RunStore, small: Small, trainers: Trainers
) -> None:
    knobs = {"steps": LONG, "save_every": 3, "log_every": 1, "precision": "fp32", "device": "cpu"}
    one, run = store.create(small(**knobs)), store.create(small(**knobs, processes=2))

    def started(run: Run, steps: int) -> int:
        after = max((row["step"] for row in run.metrics()), default=0) + steps
        pid = trainers.start(run)
        until(lambda: any(row["step"] > after for row in run.metrics()), 150)
        assert run.state()["pid"] == pid and run.state()["state"] == "running"
        return pid

    def stopped(run: Run, pid: int) -> None:
        os.kill(pid, signal.SIGTERM)
        assert trainers.wait(pid) == 0
        state = run.state()
        assert state["state"] == "cancelled" and run.checkpoints()[-1][0] == state["step"]

    stopped(one, started(one, 6))
    pid = started(run, 6)
    assert len(members(run)) == 3
    members(run)[-1].kill()
    began = time.monotonic()
    assert trainers.wait(pid) == 1 and members(run) == []
    assert time.monotonic() - began < 10
    state = run.state()
    assert (state["state"], state["problem"]) == ("failed", "killed"), state
    assert "ended without a word: killed" in state["reason"]
    curves = [[row["last"] for row in each.metrics()[:6]] for each in (one, run)]
    # Sums in another order: fp32 rounding, not more, after six updates.
    assert max(abs(a - b) / a for a, b in zip(*curves, strict=True)) < 1e-4
    stopped(run, started(run, 2))
    assert members(run) == []


def test_a_preflight_measures_what_one_of_the_processes_takes(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[int] = []
    load = Trainer.losses
    monkeypatch.setattr(
        Trainer, "losses", lambda self, batch, step: rows.append(len(batch.images))
        or load(self, batch, step),
    )  # fmt: skip
    free = SimpleNamespace(available=round(1.5 * rehearsing.peak("cpu")))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    alone, two = (
        rehearsing.measure(small(batch=12, device="cpu", processes=each)) for each in (1, 2)
    )
    assert rows == [12] * 4 + [6] * 4
    assert (alone["processes"], two["processes"]) == (1, 2)
    assert two["rate"] == pytest.approx(12 / two["seconds"]["step"])
    told = rehearsed({**two, "disk_free": 0, "command": ""})
    assert any(line.startswith("memory") and "in each of 2 processes" in line for line in told)
    assert alone["problems"] == [] and "MB are free" in two["problems"][0]


def test_a_member_leaves_with_the_process_that_stands_for_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def leave(status: int) -> None:
        raise SystemExit(status)

    monkeypatch.setattr(team.os, "_exit", leave)
    leader = subprocess.Popen(["sleep", "60"])
    mark = start_mark(leader.pid)
    assert mark is not None
    threading.Timer(0.3, leader.kill).start()
    with pytest.raises(SystemExit, match="1"):
        team._leave_with(leader.pid, mark)
    assert leader.wait() == -signal.SIGKILL


def part(batch: Batch, rows: slice) -> Batch:
    views = None if batch.views is None else batch.views[:, rows]
    labels = None if batch.labels is None else batch.labels[rows]
    extra = {name: values[rows] for name, values in batch.extra.items()}
    return Batch(batch.images[rows], batch.ids[rows], labels, views, extra, batch.seed, batch.step,
                 rows.start)  # fmt: skip


def learnt(made: Ready, rows: slice) -> tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
    """Loss, gradient and buffers after a step on some rows of the batch."""
    model = copy.deepcopy(made.model)
    torch.manual_seed(5)
    total = made.objective.loss(model, part(made.batch, rows), made.mask[rows], 3, 0.5).total
    total.backward()
    made.objective.after_step(model, 0.5)
    found = [p.grad.reshape(-1) for p in model.parameters() if p.grad is not None]
    return total.detach(), torch.cat(found), {k: v.double() for k, v in model.named_buffers()}


@pytest.mark.parametrize("name", OBJECTIVES.names())
def test_an_objective_that_may_be_shared_learns_the_same_from_two_halves(name: str) -> None:
    kind = OBJECTIVES.get(name)
    if not kind.shareable:
        with pytest.raises(BadInput, match=r"together, so 2 processes .* take processes=1"):
            setting(ready(f"{name}()").config.changed({"processes": 2}))
        return
    made = ready(f"{name}()")
    if made.setting.strategy is not None and made.setting.strategy.promise == "free":
        with pytest.raises(BadInput, match="another number of patches in each picture"):
            setting(made.config.changed({"processes": 2}))
        made = ready(f"{name}()", mask="random(ratio=0.5)")
    whole, first, second = (learnt(made, rows) for rows in (slice(0, 8), slice(0, 4), slice(4, 8)))
    torch.testing.assert_close((first[0] + second[0]) / 2, whole[0], rtol=1e-5, atol=1e-7)
    error = ((first[1] + second[1]) / 2 - whole[1]).norm() / whole[1].norm()
    assert error < 1e-5, f"{name}: gradients differ by {error:.1e}; set shareable = False"
    for key, value in whole[2].items():
        torch.testing.assert_close(first[2][key], value, rtol=1e-6, atol=1e-9, msg=key)


def test_pictures_that_are_mixed_with_others_of_the_batch_are_not_shared() -> None:
    made = ready("supervised(mixup=0.2)")
    with pytest.raises(BadInput, match=r"supervised\(mixup=0.2\) looks .* take processes=1"):
        setting(made.config.changed({"processes": 2}))
