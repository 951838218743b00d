"""Merging and feature gates as steps of a job, with what the browser needs of each."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from app.jobs import Step
from workbench.scenes.merging import MergeSpec, Merging, merge
from workbench.scenes.subspace import Subspace, of_classes, of_photos

NAMES = {"a": "A alone", "b": "B alone", "base": "The base", "merged": "Merged"}
KEPT: dict[MergeSpec, Any] = {}  # merged weights, for saving
MOST_KEPT, MOST_SCALES = 3, 24


def merge_steps(spec: MergeSpec) -> Iterator[Step]:
    """The loss while something is learnt; then what each network is worth."""
    for step in merge(spec):
        if step.state is None:
            yield Step(step.done, step.total, now={"learning": f"loss {step.loss:.3f}"})
            continue
        KEPT[spec] = step.state
        while len(KEPT) > MOST_KEPT:
            del KEPT[next(iter(KEPT))]
        yield Step(step.total, step.total, now=_worths(step))


def _worths(step: Merging) -> dict[str, Any]:
    rows = [
        {"name": NAMES[each.name], "values": [_told(value) for value in (each.on_a, each.on_b)]}
        for each in step.worths
    ]
    widest = sorted(step.scales, key=lambda row: -max(abs(row[1]), abs(row[2])))[:MOST_SCALES]
    scales = [(name, f"{one:+.3f}", f"{two:+.3f}") for name, one, two in widest]
    return {"rows": rows, "scales": scales}


def _told(value: tuple[float, float, float]) -> dict[str, Any]:
    share, low, high = value
    return {
        "share": share,
        "low": low,
        "high": high,
        "told": f"{share:.1%} [{low:.1%}, {high:.1%}]",
    }


def gate_steps(network: str, on: str, first: str, second: str, price: float) -> Iterator[Step]:
    """The gates and both pictures of the features, when they are learnt."""
    learn = of_classes if on == "classes" else of_photos
    for step in learn(network, first, second, price=price):
        yield Step(step.done, step.total, now=None if step.gates is None else _gates(step))


def _gates(step: Subspace) -> dict[str, Any]:
    assert step.gates is not None and step.group is not None
    order = np.argsort(-step.gates, kind="stable")
    return {
        "gates": np.round(step.gates[order], 3).tolist(),
        "dimensions": order.tolist(),
        "flat": _points(step.flat),
        "picked": _points(step.picked),
        "group": step.group.tolist(),
        "words": f"{len(step.chosen)} of {len(step.gates)} dimensions stay open. In all of them "
        f"the pair's cosine is {step.before[0]:.2f}, and {step.before[1]:.2f} with others; in the "
        f"gated ones {step.after[0]:.2f} and {step.after[1]:.2f}.",
    }


def _points(values: Any) -> list[list[float]]:
    return np.round(values, 4).tolist()
