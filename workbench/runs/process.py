"""The process of one run: `python -m workbench.runs.process FOLDER`; every end has its word."""

import contextlib
import gc
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from socket import gethostname
from typing import Any

from workbench.runs.failing import explain, lift_limit
from workbench.runs.identity import me
from workbench.runs.killed import counted
from workbench.runs.locking import Lock
from workbench.runs.mirroring import begin
from workbench.runs.stopping import stopping
from workbench.runs.store import ALERTS, BEAT, BEAT_EVERY, STATE, Run, write_json

LOCK = ".lock"
DONE, FAILED, TAKEN = 0, 1, 3
LEAVING = 300.0  # seconds; a busy machine takes long to end a process


def main(folder: str) -> int:
    """Train the run of a folder; returns 0 if it is done or was stopped, 1 if it failed."""
    run, lock = Run(Path(folder)), Lock(Path(folder) / LOCK)
    until = time.monotonic() + LEAVING
    while not lock.take():
        if run.state()["state"] == "queued" and time.monotonic() < until:
            time.sleep(0.05)  # the one before has said its last word and is still leaving
            continue
        print("another process trains this run already", flush=True)
        return TAKEN
    pid, mark = me()
    told = {"pid": pid, "mark": mark, "host": gethostname(), "started": time.time()}
    run.set_state(state="starting", reason="", problem="", alert="", by_signal=False, **told)
    threading.Thread(target=_beat, args=(run,), daemon=True).start()
    begin(run)
    with stopping() as should_stop:
        ended = _attempt(run, should_stop)
        if ended is None:
            return DONE
        kind, sentence = ended
        if kind == "memory":  # outside of the handler: the failed step's tensors are gone
            sentence += _which_fits(run)
    _last_words(run, kind, sentence)
    return FAILED


def _beat(run: Run) -> None:
    """Show other machines that this one still works on it, and what the kernel has ended so far."""
    noted: dict[str, int] = {}
    while True:
        with contextlib.suppress(OSError):
            (run.path / BEAT).touch()
            now = counted()
            if now != noted:
                write_json(run.path / BEAT, now)
                noted = now
        time.sleep(BEAT_EVERY)


def _attempt(run: Run, should_stop: Callable[[], bool]) -> tuple[str, str] | None:
    """Train; returns the kind of a failure and a sentence, or None."""
    from workbench.runs.team import TeamFailed, train_together
    from workbench.runs.training import train

    try:
        if run.config.processes > 1:
            train_together(run, should_stop)
        else:
            train(run, should_stop=should_stop)
        return None
    except TeamFailed as problem:
        return problem.kind, str(problem)
    except Exception as problem:
        kind, sentence = explain(problem)
        if kind == "failure":
            traceback.print_exc()
        return kind, sentence


def _which_fits(run: Run) -> str:
    """Measure which batch fits, with real steps, and say so."""
    from workbench.runs.rehearsing import largest_fitting

    gc.collect()
    lift_limit()
    try:
        config = run.config
        fits = largest_fitting(config, run.path.parent)
    except Exception as problem:  # with so little memory left anything may fail
        return f"; which batch fits could not be measured ({type(problem).__name__})"
    if fits is None:
        return f"; a batch of {config.batch} does not fit, nor a small one: take a smaller model"
    run.set_state(fits=fits)
    return f"; a batch of {config.batch} does not fit, one of {fits} does (measured): batch={fits}"


def _last_words(run: Run, kind: str, sentence: str) -> None:
    """Write down why a run ended, on a full disk too."""
    (run.path / ".ballast").unlink(missing_ok=True)
    state: dict[str, Any] = {"state": "failed", "problem": kind, "reason": sentence}
    with contextlib.suppress(OSError):
        print(f"failed ({kind}): {sentence}", flush=True)
    for part in (*run.path.glob(f".{STATE}.*"), *run.path.glob("checkpoints/.step-*")):
        part.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        run.set_state(**state)
    if kind != "nan":  # which has its alert already
        with contextlib.suppress(OSError):
            run.append(
                ALERTS, {"kind": kind, "step": run.state().get("step"), "sentence": sentence}
            )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
