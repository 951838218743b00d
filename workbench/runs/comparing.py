"""Runs beside each other: what differs, their curves, and means with intervals over seeds."""

import json
import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.runs.labels import SEEDS, TOLD, labelled, varied
from workbench.runs.scores import Measure, scores, told_apart
from workbench.runs.series import LOSS, series
from workbench.runs.store import Run

BEARS = ("mask", "nan", "spike", "data")  # kinds of alerts that bear on what a number means


@dataclass(frozen=True)
class Mean:
    """The mean over seeds, and half the width of its 95% interval (Student's t; None for one)."""

    mean: float
    half: float | None
    count: int


@dataclass(frozen=True)
class Comparison:
    """The knobs that differ, a row a run, and a group for the runs that differ in the seed only.

    A row holds `id`, `name`, `label` (what sets it apart from the others), `state`, `step`, the
    differing `knobs` and `metrics` by name: the newest score of every evaluation, and the last
    logged `loss`. A group holds `label`, `knobs`, `runs` and a `Mean` by metric. `curves` are
    (steps, losses) by run, `records` the configurations, `pictures` what the folders hold:
    (step, title, file). `measures` says of each metric in which unit and which way is better.
    `warned` holds what runs warned of that bears on their numbers: sentence -> ids.
    """

    differing: list[str]
    rows: list[dict[str, Any]]
    groups: list[dict[str, Any]]
    curves: dict[str, tuple[list[int], list[float]]] = field(default_factory=dict)
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    pictures: dict[str, list[tuple[int, str, Path]]] = field(default_factory=dict)
    measures: dict[str, Measure] = field(default_factory=dict)
    warned: dict[str, list[str]] = field(default_factory=dict)

    @property
    def metrics(self) -> list[str]:
        """All metrics, scores before the loss, those of untrained weights last.

        What most runs were measured by comes first.
        """
        names = Counter(name for row in self.rows for name in row["metrics"])
        return sorted(names, key=lambda name: ("@" in name, name == LOSS, -names[name]))

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        groups = [
            {**group, "metrics": {k: vars(m) for k, m in group["metrics"].items()}}
            for group in self.groups
        ]
        curves = {k: {"step": x, "loss": y} for k, (x, y) in self.curves.items()}
        measures = {name: vars(each) for name, each in self.measures.items()}
        return {
            "differing": self.differing, "rows": self.rows, "groups": groups, "curves": curves,
            "measures": measures, "warned": self.warned,
        }  # fmt: skip


def compare(runs: Sequence[Run]) -> Comparison:
    """Compare runs; reads files only, and no torch."""
    records = {run.id: run.record for run in runs}
    differing = [name for name in varied(list(records.values())) if name not in TOLD]
    labels = labelled(records)
    rows: list[dict[str, Any]] = []
    curves: dict[str, tuple[list[int], list[float]]] = {}
    together: dict[str, list[dict[str, Any]]] = {}
    found = told_apart([scores(run.evaluations(), series(run, LOSS)[1]) for run in runs])
    measures = {name: measure for each in found for name, (measure, _) in each.items()}
    for run, scored in zip(runs, found, strict=True):
        state, record = run.state(), records[run.id]
        steps, losses = series(run, LOSS)
        curves[run.id] = ([int(step) for step in steps], losses)
        row = {
            "id": run.id, "name": record.get("name", ""), "label": labels[run.id],
            "state": state["state"], "step": state.get("step"), "steps": state.get("steps"),
            "reason": state.get("reason", ""),
            "metrics": {name: number for name, (_, number) in scored.items()},
            "knobs": {name: record.get(name) for name in differing},
        }  # fmt: skip
        rows.append(row)
        same = {k: v for k, v in record.items() if k not in (*SEEDS, *TOLD)}
        together.setdefault(json.dumps(same, sort_keys=True), []).append(row)
    shared = labelled(records, SEEDS)
    groups = [_group(each, differing, shared) for each in together.values()]
    pictures = {run.id: run.pictures() for run in runs}
    warned = _warned(runs)
    return Comparison(differing, rows, groups, curves, records, pictures, measures, warned)


def _warned(runs: Sequence[Run]) -> dict[str, list[str]]:
    """Sentence -> ids; of each kind the first of a run, for a hundred files may be left out."""
    found: dict[str, list[str]] = {}
    for run in runs:
        first = {row["kind"]: row for row in reversed(run.alerts()) if row.get("kind") in BEARS}
        for kind in BEARS:
            if kind in first:
                found.setdefault(str(first[kind].get("sentence", "")), []).append(run.id)
    return found


def _group(
    rows: list[dict[str, Any]], differing: list[str], labels: Mapping[str, str]
) -> dict[str, Any]:
    names = dict.fromkeys(name for row in rows for name in row["metrics"])
    ids = [row["id"] for row in rows]
    return {
        "label": labels[ids[0]],
        "knobs": {name: rows[0]["knobs"][name] for name in differing if name not in SEEDS},
        "runs": ids,
        "metrics": {
            name: mean([row["metrics"][name] for row in rows if name in row["metrics"]])
            for name in names
        },
    }


def mean(values: Sequence[float]) -> Mean:
    """Return the mean and its 95% interval by Student's t.

    >>> mean([1.0, 2.0, 3.0])
    Mean(mean=2.0, half=2.484..., count=3)
    """
    count = len(values)
    if count < 2:
        return Mean(values[0], None, count)
    from scipy.special import stdtrit  # a tenth of the time that scipy.stats takes to import

    spread = statistics.stdev(values) / math.sqrt(count)
    return Mean(statistics.fmean(values), float(stdtrit(count - 1, 0.975)) * spread, count)
