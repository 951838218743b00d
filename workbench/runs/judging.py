"""Evaluations of a run in a process of their own, so that whoever asked may walk away.

`python -m workbench.runs.judging FOLDER` does what the folder's `evaluating.json` asks for; the
scores are appended to `evaluations.jsonl`, as `workbench evaluate` does.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from workbench.data.sets import DATASETS
from workbench.errors import BadInput
from workbench.runs.identity import alive, end_tree, me, start_mark
from workbench.runs.store import GOING, Run, read_json, write_json
from workbench.runs.surroundings import surroundings_of

FILE = "evaluating.json"
PROTOCOLS = ("knn", "linear_probe")
METRIC = "metric"
INITIAL = "initial"
STARTS_WITHIN, SAY_EVERY = 30.0, 1.0


def usual_protocols(run: Run) -> tuple[str, ...]:
    """Return the protocols for a run's own data: without classes the objective's own measure.

    Pictures without classes have neither: ().
    """
    gives = DATASETS.parse(run.config.data).gives
    if "labelled" in gives:
        return PROTOCOLS
    return () if "images" in gives else (METRIC,)


def start_judging(
    run: Run, protocols: Sequence[str] = PROTOCOLS, data: str = "", beside_initial: bool = True
) -> dict[str, Any]:
    """Start measuring the newest checkpoint of a run; returns at once.

    Args:
        run: with a checkpoint.
        protocols: recipes, in this order.
        data: recipe of labelled data; empty for the run's own.
        beside_initial: measure the weights before training too, where that was not done yet: every
            other number must be compared with them.

    Raises:
        BadInput: no protocol, there is no checkpoint, or it is being measured already.
    """
    if not protocols:
        raise BadInput(
            f"no protocol fits the data of {run.id}, which have no classes; name one and labelled "
            "data, as in --protocol knn --data 'digits()'."
        )
    if judging(run).get("state") == "running":
        raise BadInput(f"{run.id} is being evaluated already; wait for the result.")
    if not run.checkpoints():
        raise BadInput(f"{run.id} has no checkpoint yet; wait for its first, or train it.")
    told = run.environment
    folder = told.get("folder") or None
    fresh = [each for each in protocols if beside_initial and not _known(run, each)]
    tasks = [[list(protocols), ""], *([[fresh, INITIAL]] if fresh else [])]
    asked = {"tasks": tasks, "data": data, "done": 0, "share": 0.0, "reason": ""}
    write_json(run.path / FILE, {**asked, "state": "running", "pid": None, "mark": None})
    child = subprocess.Popen(
        [sys.executable, "-m", "workbench.runs.judging", str(run.path)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True, env=surroundings_of(told),
        cwd=folder if folder and Path(folder).is_dir() else None,
    )  # fmt: skip
    STARTED[:] = [each for each in STARTED if each.poll() is None] + [child]
    _change(run, pid=child.pid, mark=start_mark(child.pid))
    return judging(run)


STARTED: "list[subprocess.Popen[bytes]]" = []  # so that their ends are noticed


def _known(run: Run, protocol: str) -> bool:
    name = f"{protocol.removesuffix('()')}@{INITIAL}"
    return any(row.get("protocol") == name for row in run.evaluations())


def judging(run: Run) -> dict[str, Any]:
    """Return how the last evaluation stands: {}, or `state`, `tasks`, `done`, `share` and `reason`.

    `tasks` are [protocols, step]; `done` of them are behind, and `share` of the next, 0 to 1;
    `seconds_left` for all, None where it is not known yet.
    `state` is running, done, stopped, failed, or crashed for a process that ended without a word.
    """
    for each in STARTED:
        each.poll()
    found = read_json(run.path / FILE, {})
    if found.get("state") != "running":
        return found
    if alive(found.get("pid"), found.get("mark")):
        return found
    if not found.get("pid") and time.time() - (run.path / FILE).stat().st_mtime < STARTS_WITHIN:
        return found
    said = "the evaluation ended without a word: killed, or out of memory; start it again"
    return {**found, "state": "crashed", "reason": said}


def stop_judging(run: Run) -> dict[str, Any]:
    """End an evaluation that is going on; scores that were noted stay."""
    found = judging(run)
    if found.get("state") == "running" and found.get("pid"):
        end_tree(int(found["pid"]), str(found["mark"]))
        _change(run, state="stopped")
    return judging(run)


def _change(run: Run, **changes: Any) -> None:
    write_json(run.path / FILE, {**read_json(run.path / FILE, {}), **changes})


def _reporter(run: Run, done: int, tasks: int, began: float) -> Callable[[float], None]:
    said = -SAY_EVERY

    def report(share: float) -> None:
        nonlocal said
        now = time.monotonic()
        if now - said >= SAY_EVERY:
            said, whole = now, (done + share) / tasks
            left = round((now - began) * (1 - whole) / whole, 1) if whole else None
            _change(run, done=done, share=round(share, 3), seconds_left=left)

    report(0.0)
    return report


def main(folder: str) -> int:
    """Measure what is asked for; every end is written down."""
    from workbench.runs.evaluating import evaluate_all

    run = Run(Path(folder))
    pid, mark = me()
    asked = read_json(run.path / FILE)
    _change(run, pid=pid, mark=mark)
    beside = run.state()["state"] in GOING  # then the GPU, if any, belongs to the run
    tasks, began = asked["tasks"], time.monotonic()
    try:
        for done, (protocols, step) in enumerate(tasks):
            evaluate_all(
                run, protocols, step=step or None, data=asked["data"],
                device="cpu" if beside else "", report=_reporter(run, done, len(tasks), began),
            )  # fmt: skip
    except BadInput as problem:
        _change(run, state="failed", reason=str(problem))
        return 1
    except Exception as problem:
        said = (str(problem).splitlines() or [""])[0][:200]
        _change(run, state="failed", reason=f"{type(problem).__name__}: {said}")
        return 1
    _change(run, state="done", done=len(tasks))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
