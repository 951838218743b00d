"""The matrix of a sweep: a metric over two knobs, mean over the rest, with a picture a cell."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from workbench.runs.comparing import Comparison, Mean, mean
from workbench.runs.labels import RATIO, SEEDS, axis_names, shortened, value_of
from workbench.runs.scores import Measure
from workbench.runs.series import LOSS

TITLES = ("reconstruction", "seen", "original")


@dataclass(frozen=True)
class Cell:
    """The runs of one row and column: their mean, states by count, and the newest picture of one.

    `picture` is (run, file), the newest picture of what the first run that has one made. `warned`
    are sentences of `Comparison.warned`.
    """

    runs: tuple[str, ...] = ()
    mean: Mean | None = None
    states: dict[str, int] = field(default_factory=dict)
    picture: tuple[str, Path] | None = None
    warned: tuple[str, ...] = ()

    def written(self, measure: Measure) -> str:
        """The mean with its interval as text, or what the runs are at."""
        if self.mean is None:
            return ", ".join(f"{n} {state}" for state, n in self.states.items()) or "–"
        return measure.written(self.mean.mean, self.mean.half)


@dataclass(frozen=True)
class Board:
    """`rows` and `columns` are values, `cells` a list a row, `best` the place of the best mean.

    Losses of several objectives have no best: each is of its own making.
    `mixed` names knobs beside the seed that differ within a cell, so that its mean is over them.
    """

    rows: list[str]
    columns: list[str]
    cells: list[list[Cell]]
    best: tuple[int, int] | None
    mixed: list[str]


def usual_axes(found: Comparison) -> tuple[str, str]:
    """Return what goes down and what goes across unless it is chosen; "" for nothing.

    Masks down and ratios across where they differ; seeds only where nothing else does. Masks that
    only follow from the objectives leave the place to these. A knob that follows from what goes
    down does not go across: it would leave most cells empty.
    """
    names = axis_names(list(found.records.values()))
    free = [name for name in names if name not in SEEDS]
    if not free:
        return "", next(iter(names), "")
    others = [name for name in free if name != RATIO]
    if {"mask", "objective"} <= {*free} and _follows(found, "mask", "objective"):
        others = [name for name in others if name != "mask"]
    up = "mask" if "mask" in others else next(iter(others), "")
    rest = [name for name in sorted(free, key=lambda name: name != RATIO) if name != up]
    return up, next((name for name in rest if not _follows(found, name, up)), "")


def _follows(found: Comparison, name: str, other: str) -> bool:
    """Whether each value of one knob comes with a single value of another."""
    pairs = {(value_of(each, other), value_of(each, name)) for each in found.records.values()}
    return len(pairs) == len({value for value, _ in pairs})


def board(found: Comparison, rows: str, columns: str, metric: str) -> Board:
    """Spread runs over two knobs.

    Args:
        found: of the runs.
        rows: a knob as `axis_names` has it, "" for one row.
        columns: the same.
        metric: "loss" or another name of `Comparison.metrics`.
    """
    ups = _values(found, rows)
    acrosses = _values(found, columns)
    cells = [[_cell(found, {rows: up, columns: across}, metric) for across in acrosses]
             for up in ups]  # fmt: skip
    means = {
        (i, j): cell.mean.mean
        for i, row in enumerate(cells) for j, cell in enumerate(row) if cell.mean is not None
    }  # fmt: skip
    choose = max if found.measures.get(metric, Measure()).higher else min
    one = (
        metric != LOSS or len({value_of(each, "objective") for each in found.records.values()}) < 2
    )
    best = choose(means, key=lambda place: means[place]) if one and len(means) > 1 else None
    records = [[found.records[id] for id in cell.runs] for row in cells for cell in row]
    mixed = dict.fromkeys(name for each in records for name in axis_names(each))
    ups, acrosses = shortened(ups), shortened(acrosses)
    return Board(ups, acrosses, cells, best, [name for name in mixed if name not in SEEDS])


def _values(found: Comparison, name: str) -> list[str]:
    """The values of a knob, numbers by size and the rest as they come."""
    values = list(dict.fromkeys(value_of(each, name) if name else "" for each in
                                found.records.values()))  # fmt: skip
    try:
        return sorted(values, key=float)
    except ValueError:
        return values


def _cell(found: Comparison, wanted: dict[str, str], metric: str) -> Cell:
    rows = [
        row for row in found.rows
        if all(value_of(found.records[row["id"]], k) == v for k, v in wanted.items() if k)
    ]  # fmt: skip
    values = [row["metrics"][metric] for row in rows if metric in row["metrics"]]
    picture = next(
        ((row["id"], made) for row in rows if (made := newest(found.pictures[row["id"]]))), None
    )
    ids = tuple(row["id"] for row in rows)
    return Cell(
        ids,
        mean(values) if values else None,
        dict(Counter(row["state"] for row in rows)),
        picture,
        tuple(sentence for sentence, runs in found.warned.items() if {*runs} & {*ids}),
    )


def newest(pictures: list[tuple[int, str, Path]]) -> Path | None:
    """Return the file of the newest picture, of what the network made before what it was shown."""
    if not pictures:
        return None
    last = {title: path for step, title, path in pictures if step == pictures[-1][0]}
    return next((last[title] for title in TITLES if title in last), next(iter(last.values())))
