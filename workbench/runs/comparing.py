"""Runs beside each other: what differs, their curves, and means with intervals over seeds."""

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from workbench.runs.store import Run
from workbench.runs.sweeping import varied

SEEDS = ("seed",)
TOLD = ("name", "group", "preset", "schema")


@dataclass(frozen=True)
class Mean:
    """The mean over seeds, and half the width of its 95 % interval (Student's t; None for one)."""

    mean: float
    half: float | None
    count: int


@dataclass(frozen=True)
class Comparison:
    """The knobs that differ, a row a run, and a group for the runs that differ in the seed only.

    A row holds `id`, `state`, `step`, the differing `knobs` and `metrics` by name: the last logged
    `loss`, and the newest score of every evaluation. A group holds `knobs`, `runs` and a `Mean` by
    metric. `curves` are (steps, losses) by run.
    """

    differing: list[str]
    rows: list[dict[str, Any]]
    groups: list[dict[str, Any]]
    curves: dict[str, tuple[list[int], list[float]]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        groups = [
            {**group, "metrics": {k: vars(m) for k, m in group["metrics"].items()}}
            for group in self.groups
        ]
        curves = {k: {"step": x, "loss": y} for k, (x, y) in self.curves.items()}
        return {
            "differing": self.differing, "rows": self.rows, "groups": groups, "curves": curves,
        }  # fmt: skip


def compare(runs: Sequence[Run]) -> Comparison:
    """Compare runs; reads files only, and no torch."""
    records = {run.id: run.record for run in runs}
    differing = [name for name in varied(list(records.values())) if name not in TOLD]
    rows: list[dict[str, Any]] = []
    curves: dict[str, tuple[list[int], list[float]]] = {}
    together: dict[str, list[dict[str, Any]]] = {}
    for run in runs:
        state, logged = run.state(), run.metrics()
        metrics: dict[str, float] = {}
        if logged and isinstance(logged[-1].get("loss"), int | float):
            metrics["loss"] = float(logged[-1]["loss"])
        for found in run.evaluations():
            metrics |= {f"{found['protocol']}": float(found["accuracy"])}
        curves[run.id] = (
            [int(line["step"]) for line in logged],
            [float(line["loss"]) for line in logged],
        )
        knobs = {name: records[run.id].get(name) for name in differing}
        row = {
            "id": run.id, "state": state["state"], "step": state.get("step"), "knobs": knobs,
            "metrics": metrics, "name": records[run.id].get("name", ""),
        }  # fmt: skip
        rows.append(row)
        same = {k: v for k, v in records[run.id].items() if k not in (*SEEDS, *TOLD)}
        together.setdefault(json.dumps(same, sort_keys=True), []).append(row)
    groups = [_group(each, differing) for each in together.values()]
    return Comparison(differing, rows, groups, curves)


def _group(rows: list[dict[str, Any]], differing: list[str]) -> dict[str, Any]:
    names = dict.fromkeys(name for row in rows for name in row["metrics"])
    return {
        "knobs": {name: rows[0]["knobs"][name] for name in differing if name not in SEEDS},
        "runs": [row["id"] for row in rows],
        "metrics": {
            name: mean([row["metrics"][name] for row in rows if name in row["metrics"]])
            for name in names
        },
    }


def mean(values: Sequence[float]) -> Mean:
    """Return the mean and its 95 % interval by Student's t.

    >>> mean([1.0, 2.0, 3.0])
    Mean(mean=2.0, half=2.484..., count=3)
    """
    count = len(values)
    if count < 2:
        return Mean(values[0], None, count)
    from scipy.stats import t

    spread = statistics.stdev(values) / math.sqrt(count)
    return Mean(statistics.fmean(values), float(t.ppf(0.975, count - 1)) * spread, count)


def matrix(runs: Sequence[Run], rows: str, columns: str, metric: str) -> dict[str, Any]:
    """Return a metric of a sweep as a table: one row and column for each value of two knobs.

    Args:
        runs: of a sweep.
        rows: a knob, `mask` for the strategy's name, or `ratio` for its ratio.
        columns: the same.
        metric: "loss" or a protocol's name.

    Returns:
        `rows`, `columns` (values in order of appearance) and `cells` [[Mean or None]].
    """
    found: dict[tuple[Any, Any], list[float]] = {}
    ups: dict[Any, None] = {}
    acrosses: dict[Any, None] = {}
    for row in compare(runs).rows:
        record = next(run.record for run in runs if run.id == row["id"])
        up, across = _knob(record, rows), _knob(record, columns)
        ups[up], acrosses[across] = None, None
        if metric in row["metrics"]:
            found.setdefault((up, across), []).append(row["metrics"][metric])
    cells = [
        [mean(found[up, across]) if (up, across) in found else None for across in acrosses]
        for up in ups
    ]
    return {"rows": list(ups), "columns": list(acrosses), "cells": cells}


def _knob(record: dict[str, Any], name: str) -> Any:
    mask = str(record.get("mask", ""))
    if name == "mask":
        return mask.partition("(")[0]
    if name == "ratio":
        import re

        hit = re.search(r"\bratio=([0-9.]+)", mask)
        return float(hit[1]) if hit else None
    return record.get(name)
