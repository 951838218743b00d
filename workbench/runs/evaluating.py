"""Measure a run's checkpoint by a protocol, and note the result in its folder."""

import time
from collections.abc import Iterator, Sequence
from typing import Any, cast

import torch
from torch import nn

from workbench.analysis.collapse import effective_rank, spread
from workbench.data.sets import DATASETS, Dataset, Pictures
from workbench.errors import BadInput, shown
from workbench.evaluations import EVALUATIONS, Evaluation, Report
from workbench.evaluations.subject import Subject
from workbench.models import load_encoder
from workbench.models.assembly import regridded
from workbench.models.headed import pooled_tokens
from workbench.models.transformer import ViT
from workbench.runs.config import RunConfig
from workbench.runs.feeding import PREPARE_SAMPLE, Feed
from workbench.runs.measuring import METRIC, measured
from workbench.runs.setting import place, setting
from workbench.runs.store import EVALUATIONS as FILE
from workbench.runs.store import Run
from workbench.runs.trained import INITIAL, load_model, trained

__all__ = ["INITIAL", "evaluate", "evaluate_all", "evaluate_encoder", "load_model"]


def evaluate(
    run: Run,
    protocol: str = "knn",
    *,
    step: int | str | None = None,
    data: str = "",
    most: int = 0,
    device: str = "",
    report: Report = lambda share: None,
) -> dict[str, Any]:
    """Measure what the encoder of a run has learnt.

    Args:
        run: with a checkpoint.
        protocol: recipe, such as `knn(k=10)`, `linear_probe` or `finetune(steps=1000)`, or "metric"
            for the objective's own measure beside its baselines, see `measuring`; that one needs no
            classes.
        step: of the checkpoint; None for the newest, "initial" for the weights before training,
            which is what every other number must be compared with.
        data: recipe of labelled data; empty for the run's own.
        most: training pictures at most, 0 for all: the first, or evenly spaced ones where
            the pictures of a class stand together, as in a folder. For "metric" those of the test
            part.
        device: other than the run's.
        report: called with the share that is done, 0 to 1; what it raises ends the work, and
            nothing is noted.

    Returns:
        The row that was added to the run's `evaluations.jsonl`: `protocol`, `step`, `data`,
        `accuracy`, `low` and `high` (95%), `count`, `details`, `pictures`, `precision` of the
        encoder, `seconds`, and where features are frozen their `spread` and `rank` (see
        `workbench.analysis.collapse`).
        For "metric": `value` in place of `accuracy`, and `measures`, see `measuring.measured`.

    Raises:
        BadInput: no such checkpoint or protocol, or data without classes.
    """
    return evaluate_all(
        run, [protocol], step=step, data=data, most=most, device=device,
        report=report,
    )[0]  # fmt: skip


def evaluate_all(
    run: Run,
    protocols: Sequence[str],
    *,
    step: int | str | None = None,
    data: str = "",
    most: int = 0,
    device: str = "",
    report: Report = lambda share: None,
) -> list[dict[str, Any]]:
    """Measure a run by several protocols, encoding the pictures once; see `evaluate`."""
    if METRIC in protocols:
        others = [each for each in protocols if each != METRIC]
        first = 1 / len(protocols)
        own = [_metric(run, step, data, most, device, lambda share: report(first * share))]
        if not others:
            return own
        return own + evaluate_all(
            run, others, step=step, data=data, most=most, device=device,
            report=lambda share: report(first + (1 - first) * share),
        )  # fmt: skip
    wanted = [EVALUATIONS.parse(each) for each in protocols]
    config = run.config if not device else run.config.changed({"device": device})
    parts, where = setting(config), place(config, run.environment)
    dataset = DATASETS.parse(data) if data else parts.dataset
    torch.set_num_threads(where.threads)
    train, test = _labelled(dataset, config.size, most)
    model, at = trained(run, parts, where, step, train if dataset == parts.dataset else None)
    objective = parts.objective.at(1.0)
    subject = Subject(
        model, lambda of: cast(nn.Module, objective.encoder(of)), objective.features, train, test,
        config.size, where.device, where.precision, dataset.name, config.crop, config.flip,
    )  # fmt: skip
    mark = f"@{INITIAL}" if at == INITIAL else ""
    rows: list[dict[str, Any]] = []
    for found, row in judged(subject, wanted, report):
        name = str(found).removesuffix("()") + mark
        rows.append({"protocol": name, "step": at, "data": str(dataset), **row})
        run.append(FILE, rows[-1])
    return rows


def judged(
    subject: Subject, protocols: Sequence[Evaluation], report: Report = lambda share: None
) -> Iterator[tuple[Evaluation, dict[str, Any]]]:
    """Judge a subject by some protocols; its pictures are encoded once for all of them."""
    frozen = any(not each.tunes for each in protocols)
    parts = len(protocols) + frozen  # reading the features is one of its own
    began = time.monotonic()
    if frozen:
        subject.prepare(lambda share: report(share / parts))
    for i, each in enumerate(protocols, start=int(frozen)):
        found = each.judge(subject, lambda share, i=i: report((i + share) / parts))
        row: dict[str, Any] = {
            **found.as_dict(), "pictures": len(subject.train), "precision": subject.precision,
        }  # fmt: skip
        if not each.tunes:
            values = subject.encoded[1].values
            row |= {"spread": round(spread(values), 4), "rank": round(effective_rank(values), 2)}
        row |= {"seconds": round(time.monotonic() - began, 2), "time": time.time()}
        began = time.monotonic()
        yield each, row
    report(1.0)


def evaluate_encoder(
    source: str,
    protocols: Sequence[str],
    *,
    data: str,
    size: int = 0,
    most: int = 0,
    device: str = "auto",
    report: Report = lambda share: None,
) -> list[dict[str, Any]]:
    """Measure an encoder that is no run's, such as any plain ViT of timm in a file.

    Args:
        source: name or path, see `load_encoder`.
        protocols: recipes.
        data: recipe of labelled data.
        size: side of the pictures in pixels; 0 for the encoder's own. Its positions are
            interpolated.
        most: training pictures at most, see `evaluate`.
        device: auto, cpu or cuda.
        report: called with the share that is done.

    Returns:
        Rows as of `evaluate`, without `step`; nothing is written.

    Raises:
        BadInput: it cannot be loaded or has no square pictures, or data without classes.
    """
    encoder = load_encoder(source).float()
    shape = encoder.shape
    if shape.rows != shape.cols and not size:
        raise BadInput(f"{shown(source)} reads {shape.rows} x {shape.cols} patches; give a size.")
    side = size or shape.rows * shape.patch
    config = RunConfig(
        size=side, patch=shape.patch, dim=shape.dim, depth=shape.depth, heads=shape.heads,
        device=device,
    )  # fmt: skip
    where, dataset = place(config), DATASETS.parse(data)
    train, test = _labelled(dataset, side, most)
    patches = side // shape.patch
    encoder = regridded(encoder, patches, patches, source).to(where.device).eval()
    subject = Subject(
        encoder, lambda of: of, lambda of, images: pooled_tokens(cast(ViT, of), images),
        train, test, side, where.device, where.precision, dataset.name,
    )  # fmt: skip
    wanted = [EVALUATIONS.parse(each) for each in protocols]
    return [
        {"protocol": str(each).removesuffix("()"), "encoder": source, "data": str(dataset), **row}
        for each, row in judged(subject, wanted, report)
    ]


def _labelled(dataset: Dataset, size: int, most: int) -> tuple[Pictures, Pictures]:
    train, test = dataset.load(size, train=True), dataset.load(size, train=False)
    return train.some(most), test


def _metric(
    run: Run, step: int | str | None, data: str, most: int, device: str, report: Report
) -> dict[str, Any]:
    """Take the objective's own measure over the test part (`most` rows of it)."""
    began = time.monotonic()
    report(0.0)
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
    train = parts.dataset.load(config.size, train=True)
    model, at = trained(run, parts, where, step, train)
    if at == INITIAL:  # units and codebooks are those of the data, also before training
        rows = Feed(parts.config, parts.objective, train, where.device).sample(PREPARE_SAMPLE)
        parts.objective.at(0).prepare(model, rows, config.seed)
    found = measured(parts, model, test.some(most), where, report)
    name = METRIC + (f"@{INITIAL}" if at == INITIAL else "")
    row: dict[str, Any] = {
        "protocol": name, "step": at, "data": str(dataset), **found,
        "seconds": round(time.monotonic() - began, 2), "time": time.time(),
    }  # fmt: skip
    run.append(FILE, row)
    report(1.0)
    return row
