"""Sweeps as the browser needs them: the list, the menu of the form, and what a form comes to."""

import shlex
from typing import Any

from app.engine_form import offered
from workbench.errors import BadInput, shown
from workbench.runs.engines import ENGINES
from workbench.runs.estimating import usual_seconds
from workbench.runs.sweeping import command, foreseen, planned, read_over, sweep
from workbench.runs.sweeps import Sweep, SweepStore, spoken

MOST = 500  # runs that a form starts at once; the command line takes more
TEXT, LINES = 400, 12


def rows() -> list[dict[str, Any]]:
    """One row a sweep, the newest first."""
    return [row(each) for each in SweepStore()]


def row(found: Sweep) -> dict[str, Any]:
    """A sweep: what was asked for and where it stands."""
    told, now = found.record, found.standing()
    left, over = now["seconds_left"], told.get("over", {})
    failed = [run.id for run in found.runs() if run.state()["state"] in ("failed", "crashed")]
    return {
        "id": found.id,
        "name": found.name,
        "preset": str(told.get("preset", "")),
        "over": [f"{key}: {', '.join(map(str, values))}" for key, values in over.items()],
        "planned": now["planned"],
        "state": now["state"],
        "share": now["share"],
        "words": ", ".join(f"{n} {state}" for state, n in sorted(now["counts"].items())),
        "left": f"about {spoken(left)} to go" if left else "",
        "live": now["state"] in ("running", "queued", "paused"),
        "resumable": any(now["counts"].get(s) for s in ("failed", "crashed", "cancelled"))
        or sum(now["counts"].values()) < now["planned"],
        "failed": failed[:5],
    }


def menu() -> dict[str, Any]:
    """Presets with the masks that each can take; reads the objectives, which takes a while once."""
    from app.knob_rows import plain
    from workbench.masks import MASKS
    from workbench.objectives import OBJECTIVES
    from workbench.runs.presets import run_presets

    strategies = {
        name: MASKS.get(name) for name in MASKS.names() if name not in ("layers", "painted")
    }
    fitting: dict[str, list[str]] = {}
    found: list[dict[str, Any]] = []
    for name, config in run_presets().items():
        objective = OBJECTIVES.parse(config.objective)
        if objective.name not in fitting:
            fitting[objective.name] = [
                each for each, kind in strategies.items()
                if not kind().needs and objective.refuses(kind()) is None
            ]  # fmt: skip
        usual = (config.mask or objective.default_mask).partition("(")[0]
        found.append({
            "name": name, "masks": [[each, plain(each)] for each in fitting[objective.name]],
            "usual": usual,
            "told": f"{config.steps:,} steps of {config.batch}, {config.size} px, {config.data}",
        })  # fmt: skip
    return {"presets": found, "engines": [name for name, why in offered().items() if not why]}


def asked(body: dict[str, Any]) -> tuple[str, list[str], list[str], str, str]:
    """The parts of a form: preset, what goes over what, knobs for all, name, engine.

    Raises:
        BadInput: something that is no short text.
    """
    preset, over, shared, name, engine = (
        body.get(key, [] if key == "over" else "")
        for key in ("preset", "over", "shared", "name", "engine")
    )
    texts = [preset, shared, name, engine, *(over if isinstance(over, list) else [None])]
    if not all(isinstance(each, str) and len(each) <= TEXT for each in texts) or len(over) > LINES:
        raise BadInput(f"a form holds short texts, at most {LINES} knobs; shorten it.")
    try:
        words = shlex.split(shared)
    except ValueError as error:
        raise BadInput(f"{shown(shared)} cannot be read ({error}); write key=value.") from None
    return preset, [each for each in over if each.strip()], words, name.strip(), engine.strip()


def plan(body: dict[str, Any]) -> dict[str, Any]:
    """Check a form, and say how many runs it comes to and by which command."""
    from workbench.runs.config import pairs

    preset, over, words, name, engine = asked(body)
    told = {"command": command(preset, over, words, name, engine), "count": 0, "problem": ""}
    try:
        if engine:
            ENGINES.parse(engine)
        values = read_over(over)
        count = 1
        for each in values.values():
            count *= len(each)
        if count > MOST:
            raise BadInput(
                f"this comes to {count:,} runs, at most {MOST} are started here; leave some out, "
                "or use the command."
            )
        if name and any(each.name == name for each in SweepStore()):
            raise BadInput(f"there is a sweep called {shown(name)} already; choose another name.")
        configs = planned(preset, values, pairs(words), name or "sweep")
        warned = foreseen(configs)
    except BadInput as problem:
        return {**told, "problem": str(problem)}
    measured = sorted({each.evaluate for each in configs})
    steps = sum(each.steps for each in configs)
    seconds = usual_seconds(configs)
    time = f"about {spoken(seconds)}" if seconds else ""
    return {
        **told, "count": len(configs), "steps": steps, "measured": "; ".join(measured),
        "time": time, "warned": warned,
    }  # fmt: skip


def start(body: dict[str, Any]) -> dict[str, Any]:
    """Queue the runs of a form."""
    from workbench.runs.config import pairs

    found = plan(body)
    if found["problem"]:
        raise BadInput(found["problem"])
    preset, over, words, name, engine = asked(body)
    made = sweep(preset, read_over(over), overrides=pairs(words), name=name, engine=engine)
    return {"id": made.id}
