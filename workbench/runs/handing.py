"""Runs that are handed to an engine: who has them, what became of them."""

from collections.abc import Iterable, Sequence

from workbench.errors import BadInput
from workbench.runs.engines import ENGINES, Engine
from workbench.runs.store import GOING, HANDED, Run, write_json


def hand_over(runs: Sequence[Run], recipe: str) -> None:
    """Hand queued runs to an engine.

    Raises:
        BadInput: no such engine, or it does not take them; they are left as they were.
    """
    engine = ENGINES.parse(recipe).settled()
    for run, job in zip(runs, engine.submit(runs), strict=True):
        write_json(run.path / HANDED, {"engine": str(engine), "job": job}, lasting=True)


def handed(run: Run) -> tuple[Engine, str] | None:
    """Return the engine that has a run, and its name for the job; None if this machine has it."""
    told = run.handed()
    return (ENGINES.parse(told["engine"]), told["job"]) if told else None


def ask_after(runs: Iterable[Run]) -> None:
    """Note which runs their engine has given up, be it before they started or while they ran."""
    found: dict[tuple[str, str], set[str] | None] = {}
    for run in runs:
        if not (run.path / HANDED).is_file():  # of this machine, as most are
            continue
        state = run.state()["state"]
        if state != "queued" and state not in GOING:
            continue
        try:
            has = handed(run)
        except BadInput:  # of an engine that is not installed here
            continue
        if has is None:
            continue
        engine, job = has
        folder = str(run.path.parent)
        key = str(engine), folder
        if key not in found:
            found[key] = engine.active(folder)
        active = found[key]
        now = run.state()["state"]  # it may have ended since, as it should
        if active is not None and job not in active and (now == "queued" or now in GOING):
            said = engine.why(job, folder)
            told = f"{engine.name} has ended job {job} without a word to it"
            run.set_state(state="crashed", reason=f"{told} ({said})" if said else told)
