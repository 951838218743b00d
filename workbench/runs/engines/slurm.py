"""Slurm, through submitit: one job a run, one job array a sweep."""

import contextlib
import io
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

from workbench.errors import BadInput
from workbench.params import Knob
from workbench.runs.engines.engine import Engine
from workbench.runs.identity import alive
from workbench.runs.store import ENDED, STOP, Run
from workbench.runs.trainee import see_off

FOLDER = ".slurm"
ANSWER_WITHIN, LEAVE_WITHIN, LOOK_EVERY = 30.0, 60.0, 0.2
MISSING = "slurm needs submitit, which is not installed: pip install 'mask-workbench[slurm]'."


@dataclass(frozen=True, kw_only=True)
class Slurm(Engine):
    """Slurm; the folder of runs and this Python have to be there on its nodes, too.

    Before its time is up, or when a more urgent job takes its place, a run writes a checkpoint,
    goes back into Slurm's queue and goes on from there (`again` times at most).
    """

    package: ClassVar[str] = "submitit"

    partition: Annotated[str, Knob("partition; empty for the cluster's own")] = ""
    minutes: Annotated[int, Knob("time limit of a job", 1, 60 * 24 * 365, 60, None, 2880)] = 240
    gpus: Annotated[int, Knob("GPUs of a job", 0, 64, 1, None, 8)] = 0
    cpus: Annotated[int, Knob("CPU cores of a job; 0 for the cluster's own", 0, 4096)] = 0
    memory: Annotated[int, Knob("GB of a job; 0 for the cluster's own", 0, 1 << 20, 8)] = 0
    account: Annotated[str, Knob("account that pays; empty for yours")] = ""
    qos: Annotated[str, Knob("quality of service; empty for the usual")] = ""
    at_once: Annotated[int, Knob("jobs of a sweep that run at once", 1, 100_000)] = 64
    again: Annotated[int, Knob("times that a run may go back into the queue", 0, 100_000)] = 100

    @classmethod
    def absent(cls) -> str:
        """See `Engine.absent`."""
        return "" if shutil.which("srun") else "there is no Slurm on this machine (no srun)"

    def submit(self, runs: Sequence[Run]) -> list[str]:
        """Hand runs over as one job, or as an array of them."""
        executor = self.executor(runs[0].path.parent / FOLDER, runs[0].id)
        tasks = [Trainee(str(run.path)) for run in runs]
        try:
            with contextlib.redirect_stderr(io.StringIO()):  # which sbatch's words go to as well
                if len(tasks) == 1:
                    return [str(executor.submit(tasks[0]).job_id)]
                with executor.batch():
                    jobs = [executor.submit(task) for task in tasks]
            return [str(job.job_id) for job in jobs]
        except Exception as problem:  # submitit has several kinds; each holds what sbatch said
            said = " ".join(str(problem).split())[-300:]
            raise BadInput(f"slurm took nothing ({said}); change slurm's knobs.") from None

    def executor(self, folder: Path, name: str) -> Any:
        """Return submitit's executor with these knobs."""
        try:
            import submitit  # pyright: ignore[reportMissingImports]
        except ImportError:
            raise BadInput(MISSING) from None
        try:
            executor = submitit.SlurmExecutor(folder, max_num_timeout=self.again)
        except RuntimeError:
            raise BadInput(
                "there is no Slurm on this machine (srun is not found); hand runs over on a login "
                "node of the cluster, or leave the engine out to use this machine."
            ) from None
        asked = {
            "job_name": name, "time": self.minutes, "partition": self.partition,
            "gpus_per_node": self.gpus, "cpus_per_task": self.cpus, "account": self.account,
            "qos": self.qos, "mem": f"{self.memory}GB" if self.memory else "",
        }  # fmt: skip
        executor.update_parameters(
            array_parallelism=self.at_once,
            signal_delay_s=max(10, min(90, self.minutes * 12)),
            **{key: value for key, value in asked.items() if value},
        )
        return executor

    def active(self, folder: str) -> set[str] | None:
        """Ask `squeue`, which every Slurm has; accounting need not be set up."""
        words = ["squeue", "--noheader", "--array", "--me", "--format=%i"]
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=ANSWER_WITHIN)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return None if done.returncode else set(done.stdout.split())

    def end(self, job: str, folder: str) -> None:
        """Kill what runs, then take the job out."""
        for words in (["scancel", "--signal=KILL", "--full", job], ["scancel", job]):
            subprocess.run(words, capture_output=True, timeout=ANSWER_WITHIN)


class Trainee:
    """What a node does for a run: start its trainer, and see it off."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __call__(self) -> int:
        """Train until the end; returns the status of the trainer."""
        # Slurm signals every process of a job; only this one turns it into an orderly stop.
        return see_off(Run(Path(self.folder)), deaf_to=(signal.SIGUSR1, signal.SIGUSR2))

    def checkpoint(self) -> Any:
        """Called by submitit when time is up: stop after a checkpoint, to be queued again."""
        submitit = sys.modules["submitit"]
        run, until = Run(Path(self.folder)), time.monotonic() + LEAVE_WITHIN
        (run.path / STOP).touch()
        while _goes(state := run.state()) and time.monotonic() < until:
            time.sleep(LOOK_EVERY)
        (run.path / STOP).unlink(missing_ok=True)
        if state["state"] in ("done", "failed"):
            return None
        run.set_state(
            state="queued", tries=state.get("tries", 0) + 1, pid=None, mark=None,
            reason="its time was up; it goes on from its newest checkpoint",
        )  # fmt: skip
        return submitit.helpers.DelayedSubmission(self)


def _goes(state: dict[str, Any]) -> bool:
    """Whether a trainer has something left to say, or is still leaving."""
    return state["state"] not in ENDED or alive(state.get("pid"), state.get("mark"))
