"""Several processes that share every batch of one run: started by torchrun, averaged gradients."""

import os
import subprocess
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn

from workbench.runs.store import Run


class Team:
    """The processes of a run; each takes an equal part of the rows of every batch."""

    def __init__(self, device: torch.device) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self.device = device

    def average(self, model: nn.Module) -> None:
        """Give every process the mean of all gradients, summed in one order for all."""
        found = [p.grad for p in model.parameters() if p.grad is not None]
        flat = torch.cat([grad.reshape(-1) for grad in found])
        dist.all_reduce(flat)
        flat /= self.size
        at = 0
        for grad in found:
            grad.copy_(flat[at : at + grad.numel()].view_as(grad))
            at += grad.numel()

    def agree(self, loss: float, stop: bool) -> tuple[float, bool]:
        """Return the mean loss, and whether any of the processes wants to stop."""
        told = torch.tensor([loss, float(stop)], dtype=torch.float64, device=self.device)
        dist.all_reduce(told)
        return float(told[0]) / self.size, bool(told[1] > 0)


def train_together(run: Run) -> None:
    """Train a run in `processes` processes of this machine.

    Raises:
        ChildProcessError: one of them failed; the others were ended.
    """
    number = str(run.config.processes)
    words = ["--standalone", "--nproc-per-node", number, "-m", "workbench.runs.team"]
    done = subprocess.run([sys.executable, "-m", "torch.distributed.run", *words, str(run.path)])
    if done.returncode:
        raise ChildProcessError(f"a process of the team ended with status {done.returncode}")


def member(folder: str) -> None:
    """Be one process of a team."""
    from workbench.runs.stopping import stopping
    from workbench.runs.training import NotFinite, train

    gpu = torch.cuda.is_available()
    device = torch.device("cpu")
    if gpu:
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if gpu else "gloo")
    team, run = Team(device), Run(Path(folder))
    try:
        with stopping() as should_stop:
            train(run, should_stop=should_stop, team=team)
    except NotFinite as problem:
        if team.rank == 0:
            run.set_state(problem="nan", reason=str(problem))
        raise
    finally:
        dist.destroy_process_group()


if __name__ == "__main__":
    member(sys.argv[1])
