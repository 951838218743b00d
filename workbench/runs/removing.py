"""Delete a run for good; one that waits, runs or is being evaluated is refused."""

import secrets
import shutil

from workbench.errors import BadInput
from workbench.runs.judging import judging
from workbench.runs.locking import Lock
from workbench.runs.queue import Queue
from workbench.runs.store import GOING, Run


def delete(run: Run) -> None:
    """Remove a run's folder with its checkpoints and pictures.

    The folder is renamed first to a name that no list shows, so that a half-deleted run is never
    seen.

    Raises:
        BadInput: it is waiting, going or being evaluated; cancel it first.
    """
    state = run.state()["state"]
    if state in GOING or state == "queued":
        raise BadInput(f"{run.id} is {state}; cancel it before deleting it.")
    if judging(run).get("state") == "running":
        raise BadInput(f"{run.id} is being evaluated; wait for the result, then delete it.")
    lock = Lock(run.path / ".lock")
    if not lock.take():
        raise BadInput(f"{run.id} has a process that is still ending; try again in a moment.")
    gone = run.path.with_name(f".deleted-{secrets.token_hex(8)}")
    try:
        Queue(run.path.parent).remove(run.id)
        run.path.rename(gone)
    finally:
        lock.give()
    shutil.rmtree(gone, ignore_errors=True)
