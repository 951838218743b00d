"""Several processes that share every batch of one run: started by torchrun, averaged gradients."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.runs.failing import Lost, explain
from workbench.runs.identity import alive, me
from workbench.runs.setting import place
from workbench.runs.store import STOP, Run, read_json

LEADER = "WORKBENCH_LEADER"  # number and mark of the process that stands for the run
FAILURE = ".team.json"
LOOK_EVERY = 0.25
LOST = (
    "another process of the run ended without a word: killed, or out of memory; resume goes on "
    "from the newest checkpoint"
)


class TeamFailed(Exception):
    """What the first process of a team that failed said."""

    def __init__(self, kind: str, sentence: str) -> None:
        super().__init__(sentence)
        self.kind = kind


class Team:
    """The processes of a run; each takes an equal part of the rows of every batch."""

    def __init__(self, device: torch.device, leader: int) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self.device, self.leader = device, leader

    def average(self, model: nn.Module) -> None:
        """Give every process the mean of all gradients, summed in one order for all."""
        found = [p.grad for p in model.parameters() if p.grad is not None]
        flat = torch.cat([grad.reshape(-1) for grad in found])
        _sum(flat)
        flat /= self.size
        at = 0
        for grad in found:
            grad.copy_(flat[at : at + grad.numel()].view_as(grad))
            at += grad.numel()

    def agree(self, loss: float, stop: bool) -> tuple[float, bool]:
        """Return the mean loss, and whether any of the processes wants to stop."""
        told = torch.tensor([loss, float(stop)], dtype=torch.float64, device=self.device)
        _sum(told)
        return float(told[0]) / self.size, bool(told[1] > 0)


def _sum(values: Tensor) -> None:
    try:
        dist.all_reduce(values)
    except RuntimeError as problem:
        raise Lost(LOST) from problem


def train_together(run: Run, should_stop: Callable[[], bool]) -> None:
    """Train a run in `processes` processes of this machine.

    Raises:
        TeamFailed: one of them failed; the others were ended.
    """
    number = str(run.config.processes)
    words = ["--standalone", "--nproc-per-node", number, "-m", "workbench.runs.team"]
    (run.path / FAILURE).unlink(missing_ok=True)
    members = subprocess.Popen(
        [sys.executable, "-m", "torch.distributed.run", *words, str(run.path)],
        env={**os.environ, LEADER: " ".join(map(str, me()))},
    )
    asked = False
    while members.poll() is None:
        if should_stop() and not asked:
            asked = True
            (run.path / STOP).touch()  # how all of them are told
        time.sleep(LOOK_EVERY)
    if members.returncode:
        told = read_json(run.path / FAILURE, {"kind": "killed", "sentence": LOST})
        raise TeamFailed(told["kind"], told["sentence"])


def member(folder: str) -> None:
    """Be one process of a team; what goes wrong is written down by the first that notices."""
    run = Run(Path(folder))
    leader, _, mark = os.environ[LEADER].partition(" ")
    threading.Thread(target=_leave_with, args=(int(leader), mark), daemon=True).start()
    try:
        _take_part(run, int(leader))
    except Exception as problem:
        kind, sentence = explain(problem)
        if kind == "failure":
            traceback.print_exc()
        with contextlib.suppress(OSError), (run.path / FAILURE).open("x") as file:
            json.dump({"kind": kind, "sentence": sentence}, file)
        sys.stdout.flush()
        os._exit(1)  # the others wait in a sum that will never be complete


def _take_part(run: Run, leader: int) -> None:
    from workbench.runs.stopping import stopping
    from workbench.runs.training import train

    config = run.config
    device = place(config, run.environment).device
    if device.type == "cuda":
        count = torch.cuda.device_count()
        if count < config.processes:
            raise BadInput(
                f"{config.processes} processes need a GPU each and this run may use {count}; take "
                f"processes={count}, device=cpu, or more slots (`python -m workbench runs queue "
                "slots=N`)."
            )
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    with stopping() as should_stop:
        train(run, should_stop=should_stop, team=Team(device, leader))
    dist.destroy_process_group()


def _leave_with(leader: int, mark: str) -> None:
    """End this process soon after the one that stands for the run, however that one ended."""
    while alive(leader, mark):
        time.sleep(LOOK_EVERY)
    os._exit(1)


if __name__ == "__main__":
    member(sys.argv[1])
