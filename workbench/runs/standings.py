"""Where a sweep stands, worked out from the states of its runs: how far, how long still."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from workbench.runs.store import ENDED, GOING


def standing(
    states: Sequence[Mapping[str, Any]], planned: int, slots: int, paused: bool
) -> dict[str, Any]:
    """Return where a sweep stands.

    Args:
        states: of its runs, as `Run.state` returns them; with `batch`, so that `rate` counts.
        planned: runs that it is to have.
        slots: runs that the queue trains at once.
        paused: whether the queue is.

    Returns:
        `state` (running, paused, queued, done, or ended where some runs are not done), `planned`,
        `counts` by state, `share` of all steps that are made, `seconds_left` (from what ended runs
        took a step, waiting and starting included; None while nothing is known).
    """
    counts = Counter(str(each["state"]) for each in states)
    live = sum(n for state, n in counts.items() if state not in ENDED)
    steps = [max(1, int(each.get("steps") or 1)) for each in states]
    made = [
        min(all_of, int(each.get("step") or 0)) for each, all_of in zip(states, steps, strict=True)
    ]
    mean = sum(steps) / max(1, len(steps))
    total = sum(steps) + mean * max(0, planned - len(states))
    going = any(counts[state] for state in GOING)
    if going:
        state = "running"
    elif live:
        state = "paused" if paused else "queued"
    else:
        state = "done" if counts["done"] == planned else "ended"
    left = [
        all_of - done
        for each, all_of, done in zip(states, steps, made, strict=True)
        if each["state"] not in ENDED
    ]
    pace = _pace(states, steps)
    seconds = None if pace is None else pace * sum(left) / max(1, min(slots, live))
    return {
        "state": state,
        "planned": planned,
        "counts": dict(counts),
        "share": sum(made) / total if total else 1.0,
        "seconds_left": seconds if live else 0.0,
    }


def _pace(states: Sequence[Mapping[str, Any]], steps: Sequence[int]) -> float | None:
    """Seconds a step: of runs that are done, else of those that go on; None while none is known.

    A run that went on from a checkpoint made an unknown part of its steps since `started`; its
    `rate`, in pictures a second, tells what a step took.
    """
    done, others = list[tuple[float, int]](), list[tuple[float, int]]()
    for each, count in zip(states, steps, strict=True):
        ended = each["state"] == "done"
        if ended and not each.get("tries") and each.get("started") and each.get("updated"):
            done.append((float(each["updated"]) - float(each["started"]), count))
        elif each.get("rate") and each.get("batch"):
            took = float(each["batch"]) / float(each["rate"]) * count
            (done if ended else others).append((took, count))
    known = done or others
    return sum(spent for spent, _ in known) / sum(n for _, n in known) if known else None
