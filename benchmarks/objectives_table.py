"""The table of all objectives, made from their rows; what was not measured is said so."""

from pathlib import Path
from typing import Any

import objectives_chart

from workbench.objectives import OBJECTIVES
from workbench.runs.measuring import METRIC
from workbench.runs.store import read_json

HEAD = """# Objectives, each trained once by its ten-minute preset

Made by `python benchmarks/objectives.py` from the files in `objectives/`; started again it goes on
with what is not measured yet. CIFAR-10, a ViT of 6 blocks of width 192 on 4 x 4 patches (SparK: a
ResNet-10; SelfDistil: the bundled encoder at 96 px), one thread, seed 0, one run each: the
intervals are Wilson's 95% over the test pictures and say nothing of other seeds. Probes read the
first 10,000 training pictures, the encoder in bf16 (in fp32 the first eight rows differed by at
most 0.3 points); "before" is the same encoder at its first weights.

**Help** compares the linear probe with that before training: yes or no where the two intervals do
not touch, else unclear. *Spread* and *rank* are of the features of the test pictures, before and
after (`workbench.analysis.collapse`): both near 0 would be a collapse. *Pictures a CPU-second* are
those trained on over the CPU time of the run, start and checkpoints included, which a busy machine
hardly changes; "26.0*" is reckoned from the steps since a run was killed, whose time was lost.
Ten minutes is little: who is ahead here need not be after an hour.
"""
COLUMNS = (
    "objective", "steps", "CPU min", "pictures a CPU-s", "loss, first to last", "k-NN, before",
    "k-NN", "linear probe, before", "linear probe", "help", "spread", "rank",
)  # fmt: skip
UNKNOWN = "not measured yet"


def write(folder: Path) -> None:
    """Write `objectives.md` beside the folder of rows."""
    found = {name: _read(folder / f"{name}.json") for name in OBJECTIVES.names()}
    probed = [name for name, row in found.items() if _probed(row)]
    probed.sort(key=lambda name: (-found[name]["trained"]["linear_probe"]["accuracy"], name))
    lines = [HEAD, "| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    lines += [_line(name, found[name]) for name in probed]
    objectives_chart.draw({name: found[name] for name in probed}, folder.with_suffix(".svg"))
    lines += _metrics(
        {name: row for name, row in found.items() if METRIC in row.get("trained", {})}
    )
    lines += _speeds({name: _read(folder / "speed" / f"{name}.json") for name in found})
    without = [name for name, row in found.items() if not row]
    if without:
        lines += ["", f"{UNKNOWN.capitalize()}: {', '.join(without)}."]
    notes = [f"- {name}: {row['note']}" for name, row in found.items() if "note" in row]
    lines += ["", *notes] if notes else []
    target = folder.parent / f"{folder.name}.md"
    part = target.with_suffix(".part")
    part.write_text("\n".join(lines) + "\n", encoding="utf-8")
    part.replace(target)


def summary(row: dict[str, Any]) -> str:
    """A row in one line."""
    if not _probed(row):
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


def _probed(row: dict[str, Any]) -> bool:
    return "linear_probe" in row.get("trained", {})


def _line(name: str, row: dict[str, Any]) -> str:
    after, before = row["trained"], row["initial"]
    cells = [
        name, f"{row['steps']:,}", _minutes(row),
        f"{row['cpu_steps'] * row['batch'] / row['cpu_seconds']:.0f}",
        _loss(row), _share(before["knn"]), _share(after["knn"]), _share(before["linear_probe"]),
        _share(after["linear_probe"]), helps(row),
        f"{before['knn']['spread']:.2f} to {after['knn']['spread']:.2f}",
        f"{before['knn']['rank']:.0f} to {after['knn']['rank']:.0f}",
    ]  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def _metrics(found: dict[str, dict[str, Any]]) -> list[str]:
    """Lines for objectives with a measure of their own, beside what guesses reach."""
    if not found:
        return []
    lines = [
        "", "Objectives with a measure of their own, over test rows that were not trained on:", "",
        "| objective | data | steps | CPU min | loss, first to last | measure | before | after |",
        "|" + "---|" * 8,
    ]  # fmt: skip
    for name, row in found.items():
        after, before = row["trained"][METRIC], row["initial"][METRIC]
        for measure, each in after["measures"].items():
            beside = "".join(f"; {guess}: {_value(told)}" for guess, told in each["beside"].items())
            cells = [
                name, row["data"], f"{row['steps']:,}", _minutes(row), _loss(row),
                f"{measure} ({'more' if each['higher'] else 'less'} is better){beside}",
                _value(before["measures"][measure]), _value(each),
            ]  # fmt: skip
            lines.append("| " + " | ".join(cells) + " |")
    return lines


def _speeds(found: dict[str, dict[str, Any]]) -> list[str]:
    """Lines for what was timed by `--speed`."""
    timed = {name: row for name, row in found.items() if row}
    if not timed:
        return []
    lines = [
        "", "Steps timed in turns with MAE's (`--speed`), one thread; quote the ratio:", "",
        "| objective | pictures/s | MAE's beside it | over MAE's |", "|" + "---|" * 4,
    ]  # fmt: skip
    for name, row in timed.items():
        own, mae = row["pictures_per_second"], row["beside_mae"]
        lines.append(f"| {name} | {own:.0f} | {mae:.0f} | {row['over_mae']:.2f}x |")
    return lines


def _minutes(row: dict[str, Any]) -> str:
    """CPU minutes of all steps; marked where the time of some is not known."""
    whole = row["cpu_steps"] == row["steps"]
    seconds = row["cpu_seconds"] * row["steps"] / row["cpu_steps"]
    return f"{seconds / 60:.1f}" if whole else f"{seconds / 60:.1f}*"


def _value(told: dict[str, Any]) -> str:
    return f"{told['value']:.4g} ({told['low']:.4g} to {told['high']:.4g})"


def _loss(row: dict[str, Any]) -> str:
    return f"{row['loss']['start']:.4g} to {row['loss']['end']:.4g}"


def _share(score: dict[str, Any]) -> str:
    low, high = 100 * score["low"], 100 * score["high"]
    return f"{100 * score['accuracy']:.1f} ({low:.1f} to {high:.1f})"
