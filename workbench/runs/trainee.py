"""What a machine does for a run that its scheduler was handed: start its trainer, see it off."""

import signal
import sys
import time
from pathlib import Path

from workbench.runs.queue import start
from workbench.runs.store import Run

NEWS_WITHIN, LOOK_EVERY = 60.0, 0.2


def see_off(run: Run, deaf_to: tuple[signal.Signals, ...] = ()) -> int:
    """Train until the end; returns the status of the trainer, negative for a signal."""
    turn = run.state().get("tries", 0)
    status = start(run, own_session=False, deaf_to=deaf_to).wait()
    state = run.state()
    if state["state"] == "queued" and state.get("tries", 0) == turn:  # not resumed while it left
        said = next(reversed(run.log(1)), "")
        run.set_state(state="crashed", reason=f"the process did not start: {said}")
    return status


def wanted(run: Run, seconds: float = NEWS_WITHIN) -> bool:
    """Whether a run still waits: it may have been cancelled, or taken back and removed."""
    until = time.monotonic() + seconds
    while not (waits := run.state()["state"] == "queued") and time.monotonic() < until:
        time.sleep(LOOK_EVERY)  # a file system shared by machines may be slow to tell
    return waits


def main(folder: str) -> int:
    """Train the run of a folder if it still waits; returns the status of its trainer, else 0."""
    run = Run(Path(folder))
    return see_off(run) % 256 if wanted(run) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
