"""A run shown in a tracker as well, by a process of its own: `... runs.mirroring FOLDER`.

The tracker is told what the run's files say; they stay the truth. The trainer never waits for it: a
tracker that is missing, fails or hangs costs the run an alert and nothing else, and what it has not
been told yet is told when the run goes on.
"""

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path
from typing import Any

from workbench.runs.following import Metrics
from workbench.runs.store import ALERTS, ENDED, Run, read_json, write_json

PROJECT = "mask-workbench"
SENT, LOG = "mirror.json", "mirror.txt"
LOOK_EVERY, FINISH_WITHIN = 2.0, 300.0
NICE = 10  # the trainer comes first
NO_NUMBERS = ("step", "seconds")

Tell = Callable[[dict[str, Any], int], None]


def begin(run: Run) -> "subprocess.Popen[bytes] | None":
    """Start the process that tells a run's tracker, if it names one; never fails."""
    try:
        if not run.config.mirror:
            return None
        with (run.path / LOG).open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "workbench.runs.mirroring", str(run.path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=lambda: os.nice(NICE),
            )
    except Exception as problem:
        _alert(run, f"no tracker is told of this run ({problem})")
        return None


def follow(run: Run, every: float = LOOK_EVERY) -> None:
    """Tell the tracker what is new until the run has ended."""
    config = run.config
    tell, finish = TRACKERS[config.mirror](run)
    metrics = Metrics(run.path)
    while True:
        ended = run.state()["state"] in ENDED
        _tell_new(run, metrics, tell)
        if ended:
            finish()
            return
        time.sleep(every)


def _tell_new(run: Run, metrics: Metrics, tell: Tell) -> None:
    """Tell of steps and pictures beyond those told before; a resumed run repeats none."""
    sent = read_json(run.path / SENT, {"step": 0, "picture": -1, "evaluations": 0})
    new = takewhile(lambda row: row["step"] > sent["step"], reversed(metrics.read()))
    for row in reversed(list(new)):
        told = {name: value for name, value in row.items() if name not in NO_NUMBERS}
        tell({k: v for k, v in told.items() if isinstance(v, int | float)}, row["step"])
        sent["step"] = row["step"]
    write_json(run.path / SENT, sent)  # after each kind: one that fails makes none be told twice
    pictures: dict[int, dict[str, Path]] = {}
    for step, title, path in run.pictures():
        if step > sent["picture"]:
            pictures.setdefault(step, {})[title] = path
    for step, panels in pictures.items():
        tell(dict(panels), step)
        sent["picture"] = step
    write_json(run.path / SENT, sent)
    measured = run.evaluations()
    for row in measured[sent["evaluations"] :]:
        what = "accuracy" if "accuracy" in row else "value"
        step = 0 if row["step"] == "initial" else int(row["step"])
        tell({f"{what} {row['protocol']}": row.get(what)}, step)
    sent["evaluations"] = len(measured)
    write_json(run.path / SENT, sent)


def trackio(run: Run) -> tuple[Tell, Callable[[], None]]:
    """Tell trackio, in the project `mask-workbench`; look at it with `trackio show`."""
    import trackio as tracker  # pyright: ignore[reportMissingImports]

    tracker.init(
        project=PROJECT,
        name=run.id,
        group=run.config.group or None,
        config=run.config.record(),
        resume="allow",
        embed=False,
        auto_log_gpu=False,
        auto_log_cpu=False,
    )

    def tell(values: dict[str, Any], step: int) -> None:
        told = {k: tracker.Image(str(v)) if isinstance(v, Path) else v for k, v in values.items()}
        tracker.log(told, step=step)

    return tell, tracker.finish


TRACKERS: dict[str, Callable[[Run], tuple[Tell, Callable[[], None]]]] = {"trackio": trackio}


def _alert(run: Run, sentence: str) -> None:
    with contextlib.suppress(Exception):
        run.append(ALERTS, {"kind": "mirror", "step": None, "sentence": sentence})


def _leave_after(run: Run, ended: Callable[[], bool], seconds: float) -> None:
    """End this process some time after the run, whatever the tracker is doing."""
    since: float | None = None
    while since is None or time.monotonic() - since < seconds:
        since = (since or time.monotonic()) if ended() else None
        time.sleep(min(LOOK_EVERY, seconds / 4))
    _alert(run, f"{run.config.mirror} did not take everything in {seconds:.0f} s; it was left")
    os._exit(1)


def main(folder: str, within: float = FINISH_WITHIN) -> int:
    """Follow a run; returns 0 when all of it was told."""
    run = Run(Path(folder))
    ended = lambda: run.state()["state"] in ENDED  # noqa: E731
    threading.Thread(target=_leave_after, args=(run, ended, within), daemon=True).start()
    try:
        follow(run)
        return 0
    except ImportError as problem:
        name = run.config.mirror
        said = f"{name} cannot be used ({problem}): pip install 'mask-workbench[track]'"
        _alert(run, f"{said}; the run goes on without it")
    except Exception as problem:
        said = f"{type(problem).__name__}: {problem}"[:200]
        _alert(run, f"{run.config.mirror} failed ({said}); the run goes on without it")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], *map(float, sys.argv[2:3])))
