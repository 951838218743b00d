"""The server's part in runs: their queue is looked after, and a GPU belongs to the run on it."""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from app import worker
from workbench.errors import BadInput
from workbench.runs.queue import Queue, ensure_runner, gpu_count
from workbench.runs.store import ENDED, Run, runs_folder

LOOK_EVERY = 2.0
log = logging.getLogger("workbench.app")


def runs_on(folder: Path, device: str, usual: str) -> set[str]:
    """The runs that go on now on a device; `usual` is what "auto" means on this machine."""
    found: set[str] = set()
    for job in Queue(folder).jobs():
        if job["state"] != "started":
            continue
        run = Run(folder / job["run"])
        row = run.row()
        wanted = row["config"].get("device", "auto")
        if row["state"] not in ENDED and (usual if wanted == "auto" else wanted) == device:
            found.add(run.id)
    return found


class Lender:
    """Gives the memory that this process's models hold on a device to a run that starts there.

    Until no run needs it any more, pages whose device is "auto" compute on the CPU.
    """

    def __init__(self, lend: Callable[[bool], None], device: str = "cuda") -> None:
        self.lend, self.device = lend, device
        self._known: set[str] = set()

    def look(self, folder: Path, usual: str) -> None:
        """Lend once for every run that has begun; take back when none is left."""
        now = runs_on(folder, self.device, usual)
        if now - self._known:
            self.lend(True)
        elif self._known and not now:
            self.lend(False)
        self._known = now


def _lend(is_lent: bool) -> None:
    from workbench import scenes

    worker.run(scenes.lend_gpu, is_lent)


def start(looks_after_queue: bool = True) -> None:
    """Do a server's part in the background; needs no torch."""
    threading.Thread(
        target=_look_after, args=(looks_after_queue,), name="runs", daemon=True
    ).start()


def _look_after(looks_after_queue: bool) -> None:
    try:
        folder = runs_folder()
        if looks_after_queue:
            ensure_runner(folder)
    except (BadInput, OSError) as problem:
        log.warning("Runs cannot be looked after: %s", problem)
        return
    lender = Lender(_lend)
    while gpu_count():
        try:
            lender.look(folder, "cuda")
        except Exception:
            log.exception("The GPU could not be lent to a run.")
        time.sleep(LOOK_EVERY)
