"""Curves of runs: a logged number against steps, pictures or time, smoothed and thinned."""

import math
import statistics
import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Literal, TypeVar

from workbench.runs.store import METRICS, Run

Across = Literal["step", "pictures", "seconds"]
ACROSS: tuple[Across, ...] = ("step", "pictures", "seconds")
LOSS = "loss"
NOT_SERIES = {"step", "last", "seconds"}
POINTS = 400

T = TypeVar("T")
Stamp = tuple[int, int]  # when a file was changed, and its size


class Newest(Generic[T]):
    """What was read of files, one value a key: a growing file's older values are let go."""

    def __init__(self, most: int) -> None:
        self.most, self.lock = most, threading.Lock()
        self.held: dict[Hashable, tuple[Stamp, T]] = {}

    def get(self, key: Hashable, stamp: Stamp, read: Callable[[], T]) -> T:
        """Return the value of a stamp, read if it is not the one held; the least used go first."""
        with self.lock:
            found = self.held.pop(key, None)
        if found is None or found[0] != stamp:
            found = stamp, read()
        with self.lock:
            self.held[key] = found
            if len(self.held) > self.most:
                del self.held[next(iter(self.held))]
        return found[1]


_rows = Newest[list[dict[str, Any]]](256)
_points = Newest[tuple[list[float], list[float]]](512)


@dataclass(frozen=True)
class Curve:
    """A line of a chart: x and y, and with several seeds the lowest and highest beside the mean.

    `steps` are those of the points; seeds are matched by them.
    """

    label: str
    runs: tuple[str, ...]
    x: list[float]
    y: list[float]
    low: list[float] | None = None
    high: list[float] | None = None
    steps: list[float] = field(default_factory=list)


def logged(run: Run) -> list[dict[str, Any]]:
    """Return a run's metrics; a file that has not changed is not read again."""
    stamp = _stamp(run)
    return [] if stamp is None else _rows.get(run, stamp, run.metrics)


def _stamp(run: Run) -> Stamp | None:
    try:
        stat = (run.path / METRICS).stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size


def names_of(runs: Sequence[Run]) -> list[str]:
    """Return the numbers that some of the runs have logged, the loss first."""
    found = {
        name
        for run in runs
        for row in logged(run)[:1] + logged(run)[-1:]
        for name, value in row.items()
        if name not in NOT_SERIES and isinstance(value, int | float)
    }
    return sorted(found, key=lambda name: (name != LOSS, name))


def series(run: Run, name: str, across: Across = "step") -> tuple[list[float], list[float]]:
    """Return x and y of one logged number; what is no finite number is left out.

    `pictures` are those seen, repeats counted. `seconds` are of training alone: the time of each
    logged step stands for those since the line before, and pauses do not count.
    """
    stamp = _stamp(run)
    if stamp is None:
        return [], []
    x, y = _points.get((run, name, across), stamp, lambda: _series(run, name, across))
    return list(x), list(y)


def _series(run: Run, name: str, across: Across) -> tuple[list[float], list[float]]:
    x, y, spent, before = list[float](), list[float](), 0.0, 0
    batch = int(run.record.get("batch") or 1) if across == "pictures" else 1
    for row in logged(run):
        step, seconds = int(row["step"]), row.get("seconds")
        spent += (step - before) * (seconds if isinstance(seconds, int | float) else 0.0)
        before = step
        value = row.get(name)
        if isinstance(value, int | float) and math.isfinite(value):
            x.append(spent if across == "seconds" else float(step * batch))
            y.append(float(value))
    return x, y


def smoothed(values: Sequence[float], weight: float) -> list[float]:
    """Return running means: each value counts `weight` times the one after it; 0 changes nothing.

    The start is not pulled towards zero: the mean is over the values so far.

    >>> smoothed([0.0, 1.0], 0.5)
    [0.0, 0.666...]
    """
    out: list[float] = []
    total = share = 0.0
    for value in values:
        total, share = weight * total + value, weight * share + 1
        out.append(total / share)
    return out


def curves(
    runs: Sequence[Run],
    labels: Sequence[str],
    name: str = LOSS,
    across: Across = "step",
    smooth: float = 0.0,
) -> list[Curve]:
    """Return one curve a run, with all of its points; see `thin`."""
    out: list[Curve] = []
    for run, label in zip(runs, labels, strict=True):
        x, y = series(run, name, across)
        steps = series(run, name)[0]
        out.append(Curve(label, (run.id,), x, smoothed(y, smooth), steps=steps))
    return out


def over_seeds(
    found: Sequence[Curve], groups: Sequence[Sequence[str]], labels: Sequence[str]
) -> list[Curve]:
    """Return one curve a group of runs: the mean, with the lowest and highest, where all have been.

    Runs of a group that have no step in common stay lines of their own.

    Args:
        found: one curve a run, with all of its points: what was thinned has other steps.
        groups: ids of runs that belong together.
        labels: what each group is called.
    """
    by_run = {curve.runs[0]: curve for curve in found}
    out: list[Curve] = []
    for ids, label in zip(groups, labels, strict=True):
        members = [by_run[each] for each in ids if by_run[each].x]
        points = [dict(zip(m.steps, zip(m.x, m.y, strict=True), strict=True)) for m in members]
        shared = [step for step in (points[0] if points else ()) if all(step in p for p in points)]
        if len(members) < 2 or not shared:
            alone = len(members) < 2
            out += [replace(each, label=label, runs=tuple(ids) if alone else each.runs)
                    for each in members]  # fmt: skip
            continue
        rows = [[each[step][1] for each in points] for step in shared]
        x = [statistics.fmean(each[step][0] for each in points) for step in shared]
        mean = [statistics.fmean(row) for row in rows]
        low, high = list(map(min, rows)), list(map(max, rows))
        out.append(Curve(label, tuple(ids), x, mean, low, high, shared))
    return out


def thin(curve: Curve, most: int = POINTS) -> Curve:
    """Return a curve of at most `most` points, each a mean of neighbours."""
    low, high = (each and thinned(each, most) for each in (curve.low, curve.high))
    x, y, steps = (thinned(each, most) for each in (curve.x, curve.y, curve.steps))
    return Curve(curve.label, curve.runs, x, y, low, high, steps)


def thinned(values: Sequence[float], most: int = POINTS) -> list[float]:
    """Return at most `most` means of neighbours."""
    size = max(1, -(-len(values) // most))
    return [statistics.fmean(values[at : at + size]) for at in range(0, len(values), size)]
