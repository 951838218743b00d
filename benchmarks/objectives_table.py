"""The table of all objectives, made from their rows; what was not measured is said so."""

from pathlib import Path
from typing import Any

from workbench.objectives import OBJECTIVES
from workbench.runs.store import read_json

HEAD = """# Objectives, each trained once by its ten-minute preset

Made by `python benchmarks/objectives.py` from the files in `objectives/`; started again it goes on
with what is not measured yet. Seed 0, one run each: the intervals are Wilson's 95 % over the 5,000
or more test pictures and say nothing of other seeds. Probes read 10,000 training pictures.
**Help** compares the linear probe with that of the same encoder before training: yes or no where
the two intervals do not touch, else unclear. *Spread* and *rank* are of the features of the test
pictures (`workbench.analysis.collapse`): both near 0 would be a collapse. Pictures a second are
from 30 steps in turns with MAE's on one thread of a machine that others used: the ratio is what to
quote. Ten minutes is little: who is ahead here need not be after an hour.
"""
COLUMNS = (
    "objective", "steps", "pictures/s (over MAE's)", "CPU min", "loss, first to last",
    "k-NN", "linear probe", "linear probe before", "help", "spread, rank",
)  # fmt: skip


def write(folder: Path) -> None:
    """Write `objectives.md` beside the folder of rows."""
    lines = [HEAD, "| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    found = {name: _read(folder / f"{name}.json") for name in OBJECTIVES.names()}
    order = sorted(found, key=lambda name: (-_accuracy(found[name]), name))
    lines += [_line(name, found[name], _read(folder / "speed" / f"{name}.json")) for name in order]
    notes = [f"- {name}: {row['note']}" for name, row in found.items() if row and "note" in row]
    if notes:
        lines += ["", *notes]
    target = folder.parent / f"{folder.name}.md"
    part = target.with_suffix(".part")
    part.write_text("\n".join(lines) + "\n", encoding="utf-8")
    part.replace(target)


def summary(row: dict[str, Any]) -> str:
    """A row in one line."""
    if "trained" not in row:
        return f"loss {_loss(row)}"
    return f"linear probe {_share(row['trained']['linear_probe'])}, help: {helps(row)}"


def helps(row: dict[str, Any]) -> str:
    """Whether the linear probe gained by the training."""
    before, after = row["initial"]["linear_probe"], row["trained"]["linear_probe"]
    if after["low"] > before["high"]:
        return "yes"
    return "no, it hurts" if after["high"] < before["low"] else "unclear"


def _read(path: Path) -> dict[str, Any]:
    return read_json(path, {})


def _accuracy(row: dict[str, Any]) -> float:
    if not row:
        return -1.0
    return row["trained"]["linear_probe"]["accuracy"] if "trained" in row else 0.0


def _line(name: str, row: dict[str, Any], speed: dict[str, Any]) -> str:
    rate = f"{speed['pictures_per_second']:.0f} ({speed['over_mae']:.2f}x)" if speed else "not yet"
    cells = [name, "not measured yet", rate, *[""] * 7]
    if row:
        spent = row["cpu_seconds"]
        cells[1] = f"{row['steps']:,}"
        cells[3:5] = ["stopped between" if spent is None else f"{spent / 60:.1f}", _loss(row)]
        cells[5:] = ["does not apply"] * 5
    if row and "trained" in row:
        after, before = row["trained"], row["initial"]
        cells[5:] = [
            _share(after["knn"]), _share(after["linear_probe"]), _share(before["linear_probe"]),
            helps(row), f"{after['spread']:.2f}, {after['rank']:.0f}",
        ]  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def _loss(row: dict[str, Any]) -> str:
    return f"{row['loss']['start']:.4g} to {row['loss']['end']:.4g}"


def _share(score: dict[str, Any]) -> str:
    low, high = 100 * score["low"], 100 * score["high"]
    return f"{100 * score['accuracy']:.1f} ({low:.1f} to {high:.1f})"
