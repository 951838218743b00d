"""Long work of `workbench.scenes` as steps of a job, with what the browser needs of each."""

import math
import time
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlencode

import numpy as np

from app.jobs import Step
from app.payloads import shown
from workbench import scenes
from workbench.plots.heat_map import heat_map
from workbench.scenes import SceneSpec
from workbench.scenes.compose import to_bytes
from workbench.scenes.curve import DRAWS, Point, curve
from workbench.scenes.matrix import Cell, matrix
from workbench.scenes.searches import Progress, Search, watched
from workbench.scenes.spread import Spread, spread

PICTURE_SECONDS = 0.3  # between two pictures of a running search


def matrix_steps(
    spec: SceneSpec, strategies: Sequence[str], ratios: Sequence[float]
) -> Iterator[Step]:
    """One event a cell."""
    total = len(strategies) * len(ratios)
    for done, cell in enumerate(matrix(spec, strategies, ratios), 1):
        yield Step(done, total, event=_cell(cell))


def _cell(cell: Cell) -> dict[str, Any]:
    place = {"row": cell.row, "col": cell.col}
    if cell.composite is None or cell.spec is None or cell.metrics is None or cell.hidden is None:
        return {**place, "src": "", "note": cell.note}
    metrics, count = cell.metrics, int(np.count_nonzero(cell.hidden))
    return {
        **place,
        "src": scenes.data_uri(cell.composite),
        "mask": cell.spec.mask,
        "query": urlencode(cell.spec.to_query()),
        "value": metrics.mse,
        "mse": shown(metrics.mse, 4),
        "count": f"{count}/{cell.hidden.size}",
        "detail": f"PSNR {shown(metrics.psnr_db, 2)} dB, SSIM {shown(metrics.ssim, 3)}, "
        f"{count} of {cell.hidden.size} patches hidden",
    }


def curve_steps(
    spec: SceneSpec, strategies: Sequence[str], ratios: Sequence[float], draws: int = DRAWS
) -> Iterator[Step]:
    """One event a point: its fields."""
    total = len(strategies) * len(ratios)
    for done, point in enumerate(curve(spec, strategies, ratios, draws), 1):
        yield Step(done, total, event=vars(point))


def points(events: Sequence[dict[str, Any]]) -> list[Point]:
    """The points of a curve's events."""
    return [Point(**event) for event in events]


def spread_steps(spec: SceneSpec, seeds: int) -> Iterator[Step]:
    """The pictures and numbers so far replace those before."""
    for found in spread(spec, seeds):
        yield Step(len(found.seeds) + len(found.skipped), seeds, event={}, now=_spread(found))


def _spread(found: Spread) -> dict[str, Any]:
    top = float(found.variance.max())
    patch = found.variance.shape[0] // found.times.shape[0]
    times = heat_map(found.times / max(len(found.seeds), 1), patch)
    variance = heat_map(found.variance / (top or 1.0), 1)
    mean = to_bytes(found.mean.transpose(2, 0, 1))
    skipped = f" {len(found.skipped)} seeds hid nothing or all." if found.skipped else ""
    return {
        "shape": found.mean.shape[1] / found.mean.shape[0],
        "seeds": list(found.seeds),
        "mse": found.mse.tolist(),
        "tiles": [
            {"caption": "Mean paste-back", "hint": f"of {len(found.seeds)} seeds",
             "src": scenes.data_uri(mean)},
            {"caption": "Variance", "hint": f"black 0 to cream {top:.4f}",
             "src": scenes.data_uri(variance)},
            {"caption": "How often hidden", "hint": "black never, cream always",
             "src": scenes.data_uri(times)},
        ],
        "words": f"MSE on hidden pixels: mean {found.mse.mean():.4f}, standard deviation "
        f"{found.mse.std():.4f}, from {found.mse.min():.4f} to {found.mse.max():.4f} over "
        f"{len(found.seeds)} seeds; variance over seeds in squared units of [0, 1], mean over "
        f"RGB.{skipped}",
    }  # fmt: skip


def search_steps(spec: SceneSpec, looked_for: Search) -> Iterator[Step]:
    """Every improvement is an event; the pictures follow a few times a second."""
    told: tuple[int, float] | None = None
    drawn, pictured = "", -math.inf
    for progress in watched(spec, looked_for):
        state, now, event = progress.state, None, None
        if progress.history and progress.history[-1] != told:
            told = progress.history[-1]
            event = {"place": told[0], "value": told[1]}
        due = progress.finished or time.monotonic() - pictured > PICTURE_SECONDS
        if progress.spec.mask != drawn and due and told is not None:
            now, drawn, pictured = _found(progress), progress.spec.mask, time.monotonic()
        total = max(state.planned, state.evaluations)
        yield Step(state.evaluations, total, event=event, now=now)


def _found(progress: Progress) -> dict[str, Any]:
    scene = scenes.compose(progress.spec)
    state, metrics = progress.state, scene.metrics
    visible = state.hidden.size - int(np.count_nonzero(state.hidden))
    reached = {True: " The aim is reached.", False: "", None: ""}[state.reached]
    return {
        "shape": scene.photo.shape[1] / scene.photo.shape[0],
        "masked": scenes.data_uri(scene.masked),
        "composite": scenes.data_uri(scene.composite),
        "mask": progress.spec.mask,
        "query": urlencode(progress.spec.to_query()),
        "words": f"{visible} of {state.hidden.size} patches visible; on the hidden pixels MSE "
        f"{shown(metrics.mse, 4)}, PSNR {shown(metrics.psnr_db, 2)} dB.{reached}",
    }
