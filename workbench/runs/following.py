"""Metrics of a run that is still being written: each line is read once, and curves are thinned."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench.runs.store import METRICS

POINTS = 600
NOT_CURVES = {"step", "last"}


class Metrics:
    """The logged steps of one run's folder; every `read` takes in what came since the last."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / METRICS
        self._at = 0
        self._rows: dict[int, dict[str, Any]] = {}

    def read(self) -> list[dict[str, Any]]:
        """Return all rows, oldest first; superseded ones are left out as in `Run.metrics`."""
        try:
            with self.path.open("rb") as file:
                if file.seek(0, 2) < self._at:  # another file under the same name
                    self._at, self._rows = 0, {}
                file.seek(self._at)
                text = file.read()
        except OSError:
            return list(self._rows.values())
        whole = text[: text.rfind(b"\n") + 1]  # the last line may still be growing
        self._at += len(whole)
        for line in whole.splitlines():
            self._take(line)
        return list(self._rows.values())

    def _take(self, line: bytes) -> None:
        try:
            row = json.loads(line)
        except ValueError:
            return
        if not isinstance(row, dict):
            return
        if "resumed" in row:
            at = int(row["resumed"])
            self._rows = {step: each for step, each in self._rows.items() if step <= at}
        elif "step" in row:
            self._rows[int(row["step"])] = row


def curves(rows: Sequence[Mapping[str, Any]], most: int = POINTS) -> dict[str, list[list[float]]]:
    """Return points [step, mean, lowest, highest] by name, at most `most` of each.

    Neighbouring rows are averaged where there are more; what is no number is left out.

    >>> curves([{"step": 1, "loss": 2.0}, {"step": 2, "loss": 4.0}], most=1)
    {'loss': [[1.5, 3.0, 2.0, 4.0]]}
    """
    found: dict[str, list[tuple[int, float]]] = {}
    for row in rows:
        for name, value in row.items():
            if name not in NOT_CURVES and isinstance(value, int | float):
                found.setdefault(name, []).append((int(row["step"]), float(value)))
    return {name: _thinned(points, most) for name, points in found.items()}


def _thinned(points: list[tuple[int, float]], most: int) -> list[list[float]]:
    size = -(-len(points) // most)
    out: list[list[float]] = []
    for at in range(0, len(points), size):
        part = points[at : at + size]
        values = [value for _, value in part]
        step = sum(step for step, _ in part) / len(part)
        mean = sum(values) / len(values)
        out.append([step, _short(mean), _short(min(values)), _short(max(values))])
    return out


def _short(value: float) -> float:
    return float(f"{value:.6g}")
