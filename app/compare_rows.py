"""Runs beside each other as the browser needs them; read without torch."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from app.run_rows import fits, rows_of
from app.sentences import whole
from workbench.errors import BadInput
from workbench.plots.error_curve import COLOURS
from workbench.runs.boards import Board, board, usual_axes
from workbench.runs.comparing import Comparison, compare
from workbench.runs.labels import axis_names, shortened
from workbench.runs.scores import Measure
from workbench.runs.series import ACROSS, LOSS, Across, curves, names_of, over_seeds, thin
from workbench.runs.store import ENDED, ID, Run, RunStore
from workbench.runs.sweeps import Sweep, SweepStore, spoken

MOST = 200
FEW = 4  # names of runs before a warning that they share
CROWD = 6  # more runs than these are shown as means over their seeds unless told otherwise
DASHES = ("", "7 3", "2 3", "9 3 2 3", "14 4", "4 6")


@dataclass(frozen=True)
class Asked:
    """What a link asks for. Empty texts mean "choose for me"; `mean` is "0", "1" or empty."""

    runs: tuple[str, ...] = ()
    sweep: str = ""
    x: Across = "step"
    y: str = ""
    smooth: float = 0.0
    mean: str = ""
    rows: str = ""
    columns: str = ""
    metric: str = ""

    @staticmethod
    def read(query: Mapping[str, str]) -> "Asked":
        """Read an address; what cannot be read gives way to the usual."""
        try:
            smooth = min(0.99, max(0.0, float(query.get("smooth") or 0)))
        except ValueError:
            smooth = 0.0
        across = query.get("x", "")
        names = dict.fromkeys(part for part in query.get("runs", "").split(",") if part)
        text = {name: query.get(name, "")[:200] for name in ("sweep", "y", "mean", "metric")}
        return Asked(
            runs=tuple(names), smooth=smooth if smooth == smooth else 0.0,
            x=across if across in ACROSS else "step",
            sweep=text["sweep"], y=text["y"], mean=text["mean"], metric=text["metric"],
            rows=query.get("rows", "")[:200], columns=query.get("columns", "")[:200],
        )  # fmt: skip


def choices(folder: RunStore, words: str, most: int) -> dict[str, Any]:
    """Runs and sweeps to choose from, the newest first; every word must be found."""
    wanted = words.lower().split()
    found: list[dict[str, Any]] = []
    fitting = 0
    for row in rows_of(folder.folder).all():
        if not fits(row, wanted):
            continue
        fitting += 1
        if len(found) < most:
            told = (row[k] for k in ("objective", "mask", "data"))
            found.append({
                "id": row["id"], "state": row["state"], "group": row["group"],
                "name": row["name"] or row["preset"] or "run",
                "detail": ", ".join(part for part in told if part),
            })  # fmt: skip
    sweeps = [
        {"id": each.id, "name": each.name, "count": len(each)}
        for each in SweepStore(folder.folder)
        if all(word in f"{each.name} {each.id}".lower() for word in wanted)
    ]
    return {"runs": found, "fitting": fitting, "sweeps": sweeps, "folder": str(folder.folder)}


def compared(store: RunStore, asked: Asked) -> dict[str, Any]:
    """Everything that the page shows of what is asked for."""
    sweep, runs, missing = _chosen(store, asked)
    if not runs:
        return {"runs": [], "missing": missing, "going": False, "sweep": _standing(sweep)}
    found = compare(runs)
    grouped = any(len(group["runs"]) > 1 for group in found.groups)
    mean = grouped and (asked.mean == "1" or (asked.mean != "0" and len(runs) > CROWD))
    return {
        "missing": missing,
        "going": any(row["state"] not in ENDED for row in found.rows),
        "sweep": _standing(sweep),
        "runs": [
            {k: row[k] for k in ("id", "label", "name", "state", "step", "steps", "reason")}
            for row in found.rows
        ],
        "differing": _differing(found),
        "warned": _warnings(found),
        "table": _table(found) if grouped else None,
        "curves": _curves(runs, found, asked, mean) | {"grouped": grouped},
        "pictures": _pictures(found),
        "board": _board(found, asked, sweep is not None),
        "python": _python(asked, sweep, found),
        "command": _command(asked, sweep, found),
    }


def _chosen(store: RunStore, asked: Asked) -> tuple[Sweep | None, list[Run], list[str]]:
    """The sweep, the runs, and a sentence for each that is not there."""
    sweep, runs, missing = None, dict[str, Run](), list[str]()
    if asked.sweep:
        try:
            sweep = SweepStore(store.folder).get(asked.sweep)
            runs |= {run.id: run for run in sweep.runs()}
        except BadInput as problem:
            missing.append(whole(str(problem)))
    for name in asked.runs:
        try:
            if not ID.fullmatch(name):
                raise BadInput(f"{name[:80]} is no name of a run; choose from the list.")
            run = store.get(name)
            run.config  # noqa: B018 - one whose file is damaged is told here
            runs[run.id] = run
        except BadInput as problem:
            missing.append(whole(str(problem)))
    if len(runs) > MOST:
        missing.append(f"{len(runs)} runs are chosen; the first {MOST} are shown.")
    return sweep, list(runs.values())[:MOST], missing


def _standing(sweep: Sweep | None) -> dict[str, Any] | None:
    if sweep is None:
        return None
    told = sweep.standing()
    left = told["seconds_left"]
    counts = ", ".join(f"{n} {state}" for state, n in sorted(told["counts"].items()))
    return {
        "id": sweep.id, "name": sweep.name, "state": told["state"], "share": told["share"],
        "words": counts + (f"; about {spoken(left)} to go" if left else ""),
    }  # fmt: skip


def _differing(found: Comparison) -> dict[str, Any]:
    """Knobs that differ, and results: a name and one text a run."""
    knobs = [
        [name, shortened([_text(row["knobs"][name]) for row in found.rows])]
        for name in found.differing
    ]
    results = [
        [metric, [_score(found, row, metric) for row in found.rows]] for metric in found.metrics
    ]
    alike = len(next(iter(found.records.values()))) - len(found.differing)
    return {"knobs": knobs, "results": results, "alike": alike}


def _warnings(found: Comparison) -> list[list[str]]:
    """What runs warned of that bears on their numbers: whose it is, and a sentence."""
    labels = {row["id"]: row["label"] for row in found.rows}
    rows: list[list[str]] = []
    for sentence, ids in found.warned.items():
        names = [labels[id] for id in ids[:FEW]] + [f"{len(ids) - FEW} more"] * (len(ids) > FEW)
        rows.append(["; ".join(names), sentence])
    return rows


def _text(value: Any) -> str:
    return "–" if value in (None, "") else f"{value:g}" if isinstance(value, float) else str(value)


def _score(found: Comparison, row: Mapping[str, Any], metric: str) -> str:
    value = row["metrics"].get(metric)
    return "–" if value is None else found.measures[metric].written(value)


def _table(found: Comparison) -> dict[str, Any]:
    """One row for the runs that differ in the seed only: means with intervals."""
    rows: list[dict[str, Any]] = []
    for group in found.groups:
        means = [group["metrics"].get(name) for name in found.metrics]
        cells = [
            {"text": "–", "count": 0} if mean is None
            else {"text": found.measures[name].written(mean.mean, mean.half), "count": mean.count}
            for name, mean in zip(found.metrics, means, strict=True)
        ]  # fmt: skip
        rows.append({"label": group["label"], "count": len(group["runs"]), "cells": cells})
    return {"metrics": found.metrics, "rows": rows}


def _curves(runs: Sequence[Run], found: Comparison, asked: Asked, mean: bool) -> dict[str, Any]:
    names = names_of(runs)
    name = asked.y if asked.y in names else LOSS
    lines = curves(runs, [row["label"] for row in found.rows], name, asked.x, asked.smooth)
    if mean:
        groups = [group["runs"] for group in found.groups]
        lines = over_seeds(lines, groups, [group["label"] for group in found.groups])
    return {
        "names": names, "y": name, "x": asked.x, "smooth": asked.smooth, "mean": mean,
        "lines": [
            {
                "label": line.label, "key": line.runs[0], "x": _short(line.x), "y": _short(line.y),
                "low": _short(line.low or []), "high": _short(line.high or []),
                "colour": COLOURS[at % len(COLOURS)], "dash": DASHES[at % len(DASHES)],
            }
            for at, line in enumerate(map(thin, lines))
        ],
    }  # fmt: skip


def _short(values: Sequence[float]) -> list[float]:
    return [float(f"{value:.6g}") for value in values]


def _pictures(found: Comparison) -> dict[str, Any]:
    """The titles there are, all steps, and by title the (step, address) of every run."""
    order = ("original", "seen", "masked", "target", "reconstruction")
    titles = {title for made in found.pictures.values() for _, title, _ in made}
    steps = {step for made in found.pictures.values() for step, _, _ in made}
    files: list[dict[str, list[list[Any]]]] = []
    for row in found.rows:
        of_run: dict[str, list[list[Any]]] = {}
        for step, title, path in found.pictures[row["id"]]:
            of_run.setdefault(title, []).append([step, address(row["id"], path)])
        files.append(of_run)
    ranked = sorted(titles, key=lambda t: (order.index(t) if t in order else len(order), t))
    return {"titles": ranked, "steps": sorted(steps), "files": files}


def address(run: str, path: Path) -> str:
    """Where a picture of a run is served; another picture in its place has another address."""
    try:
        stamp = path.stat().st_mtime_ns
    except OSError:
        stamp = 0
    return f"/api/runs/{quote(run)}/picture/{quote(path.name)}?v={stamp}"


def _board(found: Comparison, asked: Asked, always: bool) -> dict[str, Any] | None:
    """The matrix, where runs differ in something that it can be spread over."""
    names = axis_names(list(found.records.values()))
    usual = usual_axes(found)
    metric = asked.metric if asked.metric in found.metrics else next(iter(found.metrics), LOSS)
    up = asked.rows if asked.rows in names else usual[0]
    others = [name for name in (asked.columns, *reversed(usual)) if name in names and name != up]
    across = next(iter(others), "")
    made = board(found, up, across, metric)
    measure = found.measures.get(metric, Measure())
    filled = [bool(cell.runs) for row in made.cells for cell in row]
    sparse = not (asked.rows or asked.columns) and 2 * sum(filled) < len(filled)
    if not always and (len(made.rows) < 2 or len(made.columns) < 2 or sparse):
        return None
    return {
        "axes": names, "metrics": found.metrics or [LOSS], "metric": metric,
        "up": up, "across": across, "rows": made.rows, "columns": made.columns,
        "mixed": made.mixed, "cells": _cells(made, measure),
        "higher": measure.higher, "told": measure.told, "marked": made.best is not None,
    }  # fmt: skip


def _cells(made: Board, measure: Measure) -> list[list[dict[str, Any]]]:
    return [
        [
            {
                "text": cell.written(measure) if cell.runs else "–",
                "made": cell.mean is not None,
                "count": 0 if cell.mean is None else cell.mean.count,
                "of": len(cell.runs),
                "runs": list(cell.runs),
                "best": made.best == (i, j),
                "picture": "" if cell.picture is None else address(*cell.picture),
                "warned": list(cell.warned),
            }
            for j, cell in enumerate(row)
        ]
        for i, row in enumerate(made.cells)
    ]


def _python(asked: Asked, sweep: Sweep | None, found: Comparison) -> str:
    chosen = f"SweepStore().get({sweep.id!r}).runs()" if sweep else ""
    lines = ["from workbench import runs"]
    if sweep:
        lines.append("from workbench.runs.sweeps import SweepStore")
    own = [row["id"] for row in found.rows if not sweep or row["id"] in asked.runs]
    if own:
        named = f"[runs.get(name) for name in {own!r}]"
        chosen = f"{chosen} + {named}" if chosen else named
    return "\n".join([*lines, "", f"found = runs.compare({chosen})"]) + (
        "\nfor group in found.groups:\n    print(group['label'], group['metrics'])\n"
    )


def _command(asked: Asked, sweep: Sweep | None, found: Comparison) -> str:
    words = ["python", "-m", "workbench"]
    if sweep and not asked.runs:
        return shlex.join([*words, "sweeps", "show", sweep.id])
    return shlex.join([*words, "runs", "compare", *(row["id"] for row in found.rows)])
