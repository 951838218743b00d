"""Measure a run's checkpoint by a protocol, and note the result in its folder."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from workbench.analysis.collapse import effective_rank, spread
from workbench.data.augment import plain
from workbench.data.sets import DATASETS, Pictures
from workbench.errors import BadInput
from workbench.evaluations import EVALUATIONS, Features
from workbench.runs.measuring import METRIC, measured
from workbench.runs.setting import Place, Setting, place, setting
from workbench.runs.store import EVALUATIONS as FILE
from workbench.runs.store import Run
from workbench.runs.trained import INITIAL, load_model, trained

__all__ = ["INITIAL", "evaluate", "evaluate_all", "load_model"]

ROWS = 256


def evaluate(
    run: Run,
    protocol: str = "knn",
    *,
    step: int | str | None = None,
    data: str = "",
    most: int = 0,
    device: str = "",
) -> dict[str, Any]:
    """Measure what the encoder of a run has learnt.

    Args:
        run: with a checkpoint.
        protocol: recipe, such as `knn(k=10)` or `linear_probe`, or "metric" for the objective's own
            measure beside its baselines, see `measuring`; that one needs no classes.
        step: of the checkpoint; None for the newest, "initial" for the weights before training,
            which is what every other number must be compared with.
        data: recipe of labelled data; empty for the run's own.
        most: training pictures at most (the first); 0 for all.
        device: other than the run's.

    Returns:
        The row that was added to the run's `evaluations.jsonl`: `protocol`, `step`, `data`,
        `accuracy`, `low` and `high` (95 %), `count`, `details`, `pictures`, `seconds`, and of the
        features of the test pictures `spread` and `rank` (see `workbench.analysis.collapse`).
        For "metric": `value` in place of `accuracy`, and `measures`, see `measuring.measured`.

    Raises:
        BadInput: no such checkpoint or protocol, or data without classes.
    """
    return evaluate_all(run, [protocol], step=step, data=data, most=most, device=device)[0]


def evaluate_all(
    run: Run,
    protocols: Sequence[str],
    *,
    step: int | str | None = None,
    data: str = "",
    most: int = 0,
    device: str = "",
) -> list[dict[str, Any]]:
    """Measure a run by several protocols, encoding the pictures once; see `evaluate`."""
    if METRIC in protocols:
        others = [each for each in protocols if each != METRIC]
        own = [_metric(run, step, data, most, device)]
        if not others:
            return own
        return own + evaluate_all(run, others, step=step, data=data, most=most, device=device)
    began = time.monotonic()
    wanted = [EVALUATIONS.parse(each) for each in protocols]
    config = run.config if not device else run.config.changed({"device": device})
    parts, where = setting(config), place(config, run.environment)
    dataset = DATASETS.parse(data) if data else parts.dataset
    train = dataset.load(config.size, train=True)
    test = dataset.load(config.size, train=False)
    if train.labels is None or test.labels is None or len(train.classes) < 2:
        raise BadInput(
            f"{dataset.name} has no classes to tell apart; name labelled data, as in "
            "--data 'digits()'."
        )
    if most:
        train = train.rows(slice(0, most))
    torch.set_num_threads(where.threads)
    model, at = trained(run, parts, where, step, train if dataset == parts.dataset else None)
    features = [_features(parts, model, each, where) for each in (train, test)]
    shape = {
        "spread": round(spread(features[1].values), 4),
        "rank": round(effective_rank(features[1].values), 2),
    }
    rows: list[dict[str, Any]] = []
    for found in wanted:
        score = found.score(features[0], features[1], len(train.classes))
        name = str(found).removesuffix("()") + (f"@{INITIAL}" if at == INITIAL else "")
        row: dict[str, Any] = {
            "protocol": name, "step": at, "data": str(dataset), **score.as_dict(),
            "pictures": len(train), **shape, "seconds": round(time.monotonic() - began, 2),
            "time": time.time(),
        }  # fmt: skip
        run.append(FILE, row)
        rows.append(row)
        began = time.monotonic()
    return rows


def _metric(run: Run, step: int | str | None, data: str, most: int, device: str) -> dict[str, Any]:
    """Take the objective's own measure over the test part (`most` rows of it)."""
    began = time.monotonic()
    config = run.config if not device else run.config.changed({"device": device})
    parts, where = setting(config), place(config, run.environment)
    dataset = DATASETS.parse(data) if data else parts.dataset
    if parts.objective.takes not in dataset.gives:
        raise BadInput(
            f"{parts.objective.name} is measured on {parts.objective.takes}, but {dataset.name} "
            f"gives {' and '.join(dataset.gives)}; name other data."
        )
    test = dataset.load(config.size, train=False)
    torch.set_num_threads(where.threads)
    model, at = trained(run, parts, where, step)
    found = measured(parts, model, test if not most else test.rows(slice(0, most)), where)
    name = METRIC + (f"@{INITIAL}" if at == INITIAL else "")
    row: dict[str, Any] = {
        "protocol": name, "step": at, "data": str(dataset), **found,
        "seconds": round(time.monotonic() - began, 2), "time": time.time(),
    }  # fmt: skip
    run.append(FILE, row)
    return row


def _features(parts: Setting, model: nn.Module, pictures: Pictures, where: Place) -> Features:
    assert pictures.labels is not None
    out: list[NDArray[np.float32]] = []
    half = where.precision == "bf16" and where.device.type == "cuda"
    with torch.inference_mode(), torch.autocast(where.device.type, torch.bfloat16, enabled=half):
        for at in range(0, len(pictures), ROWS):
            raw = torch.from_numpy(pictures.images[at : at + ROWS]).to(where.device)
            images = plain(raw, parts.config.size)
            out.append(parts.objective.at(1.0).features(model, images).float().cpu().numpy())
    return Features(np.concatenate(out), pictures.labels)
