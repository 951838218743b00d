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
    """Measure a run by some protocols and print accuracies with their 95 % intervals."""
    from workbench.runs.evaluating import INITIAL, evaluate_all
    from workbench.runs.store import RunStore

    run = RunStore(folder).get(name)
    at = None if not step else INITIAL if step == INITIAL else whole(step)
    chosen = "" if device == "auto" else device
    found: list[dict[str, Any]] = evaluate_all(run, protocols, step=at, data=data, device=chosen)
    rows = [
        (
            row["protocol"], str(row["step"]), f"{row['accuracy']:.1%}",
            f"{row['low']:.1%} to {row['high']:.1%}", f"{row['count']} of {row['data']}",
        )
        for row in found
    ]  # fmt: skip
    header = ("protocol", "step", "right", "95 %", "test pictures")
    say({"id": run.id, "evaluations": found}, table(header, rows), as_json)
