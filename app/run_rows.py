"""Runs as the browser needs them: rows of the list and the page of one run, read without torch."""

import io
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from app.run_uses import uses
from workbench.errors import BadInput
from workbench.params import knobs
from workbench.runs import spelling
from workbench.runs.config import RunConfig
from workbench.runs.following import Metrics, curves
from workbench.runs.judging import judging, usual_protocols
from workbench.runs.queue import Queue
from workbench.runs.store import (
    CONFIG,
    EVALUATIONS,
    GOING,
    PICTURE_NOTE,
    PICTURES,
    STATE,
    STOP,
    Run,
    RunStore,
)
from workbench.runs.telling import told

WATCHED = (STATE, CONFIG, PICTURES, STOP, EVALUATIONS)
KEPT_METRICS = 8
LOG_LINES = 80
TOLD = (
    "step",
    "steps",
    "rate",
    "seconds_left",
    "memory",
    "created",
    "started",
    "updated",
    "problem",
)
DEFAULTS = {each.name: each.default for each in knobs(RunConfig)}


class Rows:
    """The rows of one folder of runs; a file that has not changed is not read again."""

    def __init__(self, store: RunStore) -> None:
        self.store = store
        self._known: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {}

    def all(self) -> list[dict[str, Any]]:
        """One row a run, the newest first."""
        ids = self.store.ids()
        for gone in self._known.keys() - set(ids):
            del self._known[gone]
        found = (self.row(Run(self.store.folder / name)) for name in reversed(ids))
        return [row for row in found if row is not None]

    def row(self, run: Run) -> dict[str, Any] | None:
        """One run's row; None for a folder that is no run."""
        marks = tuple(_changed(run.path / name) for name in WATCHED)
        if not marks[1]:
            return None
        known = self._known.get(run.id)
        if known is None or known[0] != marks or known[1]["state"] in GOING:
            known = self._known[run.id] = (marks, row_of(run))
        return known[1]


@cache
def rows_of(folder: Path) -> Rows:
    """The rows of a folder that this process has read so far."""
    return Rows(RunStore(folder))


def fits(row: Mapping[str, Any], words: Sequence[str]) -> bool:
    """Whether every word, in small letters, is in what the list shows of a run."""
    text = " ".join(str(row[k]) for k in ("id", "name", "objective", "mask", "data", "group"))
    return all(word in text.lower() for word in words)


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def row_of(run: Run) -> dict[str, Any]:
    """What the list shows of a run."""
    whole = run.row()
    config: Mapping[str, Any] = whole["config"]
    row = {name: whole.get(name) for name in TOLD}
    for name in ("name", "objective", "mask", "data", "preset", "group"):
        row[name] = str(config.get(name, ""))
    newest = newest_picture(run)
    row |= {"id": run.id, "state": whole["state"], "picture": "" if newest is None else newest[2]}
    row["scores"] = scores(run)
    return row


def newest_picture(run: Run) -> tuple[int, str, str] | None:
    """Step, title and address part of the last picture, what the network made rather than saw."""
    found = run.pictures()
    if not found:
        return None
    last = [each for each in found if each[0] == found[-1][0]]
    step, title, path = next((each for each in last if each[1] == "reconstruction"), last[-1])
    return step, title, f"{path.name}?v={_changed(path)}"


def scores(run: Run) -> list[dict[str, Any]]:
    """The newest score of each protocol on the trained weights, beside random init's."""
    newest: dict[str, dict[str, Any]] = {str(row["protocol"]): row for row in run.evaluations()}
    rows: list[dict[str, Any]] = []
    for name, row in newest.items():
        number = row.get("accuracy", row.get("value"))
        if name.endswith("@initial") or not isinstance(number, int | float):
            continue
        before = newest.get(f"{name}@initial")
        kept = ("protocol", "step", "accuracy", "value", "low", "high", "count", "data", "seconds",
                "metric", "higher")  # fmt: skip
        rows.append({key: row.get(key) for key in kept})
        if before is not None:
            rows[-1]["initial"] = {
                key: before.get(key) for key in ("accuracy", "value", "low", "high")
            }
        for measure, found in list(row.get("measures", {}).items())[:1]:
            rows[-1]["protocol"] = measure
            rows[-1]["beside"] = {who: told["value"] for who, told in found["beside"].items()}
    return rows


class Pages:
    """What the page of one run shows; the metrics of the last few runs are kept."""

    def __init__(self, store: RunStore) -> None:
        self.store = store
        self._metrics: OrderedDict[str, Metrics] = OrderedDict()

    def page(self, run: Run) -> dict[str, Any]:
        """Everything at once; the parts are small."""
        whole = run.row()
        saved = run.checkpoints()
        waiting = [j["run"] for j in Queue(run.path.parent).jobs() if j["state"] == "waiting"]
        paused = bool(Queue(run.path.parent).settings()["paused"])
        place = waiting.index(run.id) + 1 if run.id in waiting else 0
        row = row_of(run)
        row |= {name: whole.get(name) for name in ("reason", "alert", "fits", "tries")}
        newest = saved[-1][0] if saved else None
        row["told"] = told(whole, newest, place, paused, run.handed())
        row["curves"] = curves(self._following(run).read())
        row["alerts"] = [_alert(each) for each in run.alerts()[-50:]]
        row["pictures"] = pictures(run) | {"note": picture_note(run)}
        row["checkpoints"] = [
            {"step": step, "file": path.name, "bytes": _size(path)} for step, path in saved
        ]
        row["evaluating"] = judging(run)
        row["protocols"] = _protocols(run)
        row["uses"] = uses(run, whole["config"])
        row["log"] = run.log(LOG_LINES)
        row["config"] = knobs_of(whole["config"])
        row["environment"] = {
            key: value
            for key, value in run.environment.items()
            if key not in ("variables", "launch", "command")
        }
        return row | start_again(run, whole["config"]) | {"folder": str(run.path)}

    def _following(self, run: Run) -> Metrics:
        found = self._metrics.pop(run.id, None) or Metrics(run.path)
        self._metrics[run.id] = found
        while len(self._metrics) > KEPT_METRICS:
            self._metrics.popitem(last=False)
        return found


def _protocols(run: Run) -> list[str]:
    """What it is measured by unless somebody says otherwise, and fine-tuning where it has classes.

    None where its configuration cannot be read.
    """
    try:
        usual = usual_protocols(run)
    except BadInput:
        return []
    return ["+".join(usual), *(["finetune"] if "knn" in usual else [])]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _alert(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row.get(name) for name in ("kind", "step", "sentence")}


def pictures(run: Run) -> dict[str, Any]:
    """Steps, titles in the order that an objective gives them where it is known, and addresses."""
    order = ("original", "seen", "masked", "target", "reconstruction")
    found = run.pictures()
    titles = sorted(
        {title for _, title, _ in found},
        key=lambda title: (order.index(title) if title in order else len(order), title),
    )
    files: dict[int, dict[str, str]] = {}
    for step, title, path in found:
        files.setdefault(step, {})[title] = f"{path.name}?v={_changed(path)}"
    steps = sorted(files)
    return {"titles": titles, "steps": steps, "files": [files[step] for step in steps]}


def picture_note(run: Run) -> str:
    """What must be known to judge its pictures, as its trainer wrote it down; else ""."""
    try:
        return (run.path / PICTURES / PICTURE_NOTE).read_text(encoding="utf-8")
    except OSError:
        return ""


def knobs_of(config: Mapping[str, Any]) -> list[list[Any]]:
    """Name, value, and whether it differs from the default, of every knob."""
    return [
        [name, value, name in DEFAULTS and value != DEFAULTS[name]]
        for name, value in config.items()
        if name != "schema"
    ]


def start_again(run: Run, record: Mapping[str, Any]) -> dict[str, str]:
    """Command, Python and the form's address that start the same run, without torch."""
    launch = run.environment.get("launch")
    if isinstance(launch, dict):
        preset, changed = str(launch["preset"]), dict(launch["knobs"])
    else:  # of an earlier version: every knob says itself
        preset = str(record.get("preset") or spelling.FALLBACK)
        changed = {k: v for k, v in record.items() if k not in ("schema", "preset")}
    engine = run.handed().get("engine", "")
    return {
        "command": spelling.command(preset, changed, engine),
        "python": spelling.python(preset, changed, engine),
        "form": f"/train?{urlencode(spelling.query(preset, changed, engine))}",
    }


def thumbnail(path: Path, side: int = 64) -> bytes:
    """The first two pictures of a strip as a small JPEG.

    Raises:
        BadInput: it is gone.
    """
    from PIL import Image

    try:
        with Image.open(path) as strip:
            high = strip.height
            small = strip.convert("RGB").crop((0, 0, min(2 * high, strip.width), high))
    except OSError:
        raise BadInput(f"{path.name} is gone; reload the page.") from None
    small.thumbnail((2 * side, side))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=80)
    return buffer.getvalue()
