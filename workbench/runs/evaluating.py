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
from workbench.runs import checkpoints
from workbench.runs.setting import Place, Setting, place, setting
from workbench.runs.store import CHECKPOINTS, Run
from workbench.runs.store import EVALUATIONS as FILE

ROWS = 256
INITIAL = "initial"


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
        protocol: recipe, such as `knn(k=10)` or `linear_probe`.
        step: of the checkpoint; None for the newest, "initial" for the weights before training,
            which is what every other number must be compared with.
        data: recipe of labelled data; empty for the run's own.
        most: training pictures at most (the first); 0 for all.
        device: other than the run's.

    Returns:
        The row that was added to the run's `evaluations.jsonl`: `protocol`, `step`, `data`,
        `accuracy`, `low` and `high` (95 %), `count`, `details`, `pictures`, `seconds`, and of the
        features of the test pictures `spread` and `rank` (see `workbench.analysis.collapse`).

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
    model, at = _trained(run, parts, where, step, train if dataset == parts.dataset else None)
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


def load_model(run: Run, step: int | str | None = None) -> tuple[Setting, nn.Module, int | str]:
    """Return a run's setting and its model in evaluation mode, with the step it is of."""
    parts, where = setting(run.config), place(run.config, run.environment)
    model, at = _trained(run, parts, where, step)
    return parts, model, at


def _trained(
    run: Run,
    parts: Setting,
    where: Place,
    step: int | str | None,
    pictures: Pictures | None = None,
) -> tuple[nn.Module, int | str]:
    if pictures is None:  # the shape of the data decides the model's
        pictures = parts.dataset.load(parts.config.size, train=True)
    model = parts.build(pictures, where.device).eval()
    if step == INITIAL:
        return model, INITIAL
    folder = run.path / CHECKPOINTS
    if step is None:
        found = checkpoints.newest(folder)
        if found is None:
            raise BadInput(f"{run.id} has no checkpoint yet; wait for its first, or train it.")
    else:
        steps = dict(run.checkpoints())
        if step not in steps:
            raise BadInput(f"{run.id} has no checkpoint of step {step}; there are {list(steps)}.")
        found = checkpoints.load(steps[int(step)])
    checkpoints.restore_model(found, model)
    return model, found.step


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
