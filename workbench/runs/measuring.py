"""The measure that an objective brings itself, over all test rows, beside what guesses reach."""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from workbench.data.sets import Pictures
from workbench.errors import BadInput
from workbench.evaluations.evaluation import NORMAL_95, Report
from workbench.runs.feeding import Feed
from workbench.runs.setting import Place, Setting

METRIC = "metric"
ROWS = 64


def measured(
    parts: Setting,
    model: nn.Module,
    test: Pictures,
    where: Place,
    report: Report = lambda share: None,
) -> dict[str, Any]:
    """Take `Objective.measures` over test rows; masks depend on (seed, row) alone.

    Args:
        parts: the run's setting.
        model: in evaluation mode.
        test: rows that were not trained on.
        where: the device.
        report: called with the share that is done; what it raises ends the work.

    Returns:
        metric: the objective's sentence; `value`, `low`, `high` (mean over rows with its normal
        95% interval), `count` rows and `higher` (more is better) of its first measure;
        measures: the same for each of its measures by name, with `beside`: for every guess its own
        `value`, `low` and `high`, and `difference`, `difference_low`, `difference_high` of value
        minus guess, row by row. An error beats a guess where `difference_high` is below 0.

    Raises:
        BadInput: the objective has no measure of its own, or its model gives no number.
    """
    objective = parts.objective.at(1.0)
    if not objective.metric:
        raise BadInput(
            f"{objective.name} has no metric of its own; measure its features, as with "
            "--protocol knn."
        )
    own, others, higher = _collected(parts, model, test, where, report)
    measures: dict[str, Any] = {}
    for name, values in own.items():
        beside = {
            guess: {**_interval(told), **_named("difference", _interval(values - told))}
            for guess, told in others[name].items()
        }
        measures[name] = {**_interval(values), "higher": higher[name], "beside": beside}
    first = next(iter(measures.values()))
    top = {key: first[key] for key in ("value", "low", "high", "count", "higher")}
    return {"metric": objective.metric, **top, "measures": measures, "pictures": len(test)}


def _collected(
    parts: Setting, model: nn.Module, test: Pictures, where: Place, report: Report
) -> tuple[dict[str, NDArray[Any]], dict[str, dict[str, NDArray[Any]]], dict[str, bool]]:
    objective = parts.objective.at(1.0)
    feed = Feed(parts.config, objective, test, where.device, 0, len(test))
    grid = objective.grid(parts.shape(test))
    own: dict[str, list[NDArray[Any]]] = {}
    others: dict[str, dict[str, list[NDArray[Any]]]] = {}
    higher: dict[str, bool] = {}
    with torch.no_grad():
        for start in range(0, len(test), ROWS):
            report(start / len(test))
            batch = feed.rows(start, min(start + ROWS, len(test)))
            mask = parts.mask(model, batch, grid, 0, 1.0)
            for name, each in objective.measures(model, batch, mask).items():
                higher[name] = each.higher
                own.setdefault(name, []).append(_array(each.values))
                for guess, told in each.beside.items():
                    others.setdefault(name, {}).setdefault(guess, []).append(_array(told))
    joined = {n: {g: np.concatenate(v) for g, v in each.items()} for n, each in others.items()}
    return {n: np.concatenate(v) for n, v in own.items()}, joined, higher


def _array(values: torch.Tensor) -> NDArray[Any]:
    return values.detach().double().cpu().numpy()


def _interval(values: NDArray[Any]) -> dict[str, Any]:
    """Mean and normal 95% interval over rows that have a value."""
    known = values[~np.isnan(values)]
    if not len(known) or not np.isfinite(known).all():
        raise BadInput("a measure is no finite number; evaluate an earlier checkpoint.")
    mean = float(known.mean())
    half = NORMAL_95 * float(known.std(ddof=1)) / math.sqrt(len(known)) if len(known) > 1 else 0.0
    return {"value": mean, "low": mean - half, "high": mean + half, "count": len(known)}


def _named(prefix: str, found: dict[str, Any]) -> dict[str, Any]:
    names = {"value": prefix, "low": f"{prefix}_low", "high": f"{prefix}_high"}
    return {names[key]: value for key, value in found.items() if key in names}
