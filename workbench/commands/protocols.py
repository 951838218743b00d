"""What a run has learnt, measured by protocols on frozen features."""

from pathlib import Path
from typing import Any

from workbench.commands.arguments import whole
from workbench.commands.output import say, table


def evaluate_run(
    name: str,
    protocols: list[str],
    step: str,
    data: str,
    device: str,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Measure a run by some protocols and print what they find with its 95 % interval."""
    from workbench.runs.evaluating import INITIAL, evaluate_all
    from workbench.runs.store import RunStore

    run = RunStore(folder).get(name)
    at = None if not step else INITIAL if step == INITIAL else whole(step)
    chosen = "" if device == "auto" else device
    found: list[dict[str, Any]] = evaluate_all(run, protocols, step=at, data=data, device=chosen)
    rows = [line for row in found for line in _lines(row)]
    header = ("protocol", "step", "measured", "95 %", "test pictures")
    say({"id": run.id, "evaluations": found}, table(header, rows), as_json)


def _lines(row: dict[str, Any]) -> list[tuple[str, ...]]:
    """A line for an accuracy; for a metric one for each measure and each of its guesses."""
    step, data = str(row["step"]), row["data"]
    if "measures" not in row:
        span = f"{row['low']:.1%} to {row['high']:.1%}"
        return [
            (row["protocol"], step, f"{row['accuracy']:.1%}", span, f"{row['count']} of {data}")
        ]
    lines: list[tuple[str, ...]] = []
    for name, each in row["measures"].items():
        for who, told in {name: each, **{f"  {k}": v for k, v in each["beside"].items()}}.items():
            span = f"{told['low']:.4g} to {told['high']:.4g}"
            count = f"{told['count']} of {data}"
            lines.append((who, step, f"{told['value']:.4g}", span, count))
    return lines


def standing(row: dict[str, Any]) -> str:
    """Return an evaluation in one line."""
    if "measures" not in row:
        return (
            f"{row['protocol']} at step {row['step']}: {row['accuracy']:.1%} "
            f"({row['low']:.1%} to {row['high']:.1%})"
        )
    name, first = next(iter(row["measures"].items()))
    beside = "".join(f", {guess} {told['value']:.4g}" for guess, told in first["beside"].items())
    span = f"({first['low']:.4g} to {first['high']:.4g}{beside})"
    return f"{row['protocol']} at step {row['step']}: {name} {first['value']:.4g} {span}"
