"""What a run has learnt, measured by protocols on frozen features."""

from pathlib import Path
from typing import Any

from workbench.commands.arguments import whole
from workbench.commands.output import say, table
from workbench.commands.progress import Telling
from workbench.errors import BadInput


def evaluate_run(
    name: str,
    protocols: list[str],
    step: str,
    data: str,
    device: str,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Measure a run, or an encoder in a file, and print what is found with its 95% interval."""
    from workbench.runs.evaluating import INITIAL, evaluate_all, evaluate_encoder
    from workbench.runs.store import RunStore

    telling = Telling("percent", rate=False)

    def report(share: float) -> None:
        telling.tell(round(100 * share), 100)

    at = None if not step else INITIAL if step == INITIAL else whole(step)
    try:
        run = RunStore(folder).get(name)
    except BadInput:
        if not _a_model(name):
            raise
        run = None
    try:
        if run is None:
            if at is not None:
                raise BadInput(f"{name} is no run, so it has no steps; leave --step out.")
            on = data or "digits()"
            found = evaluate_encoder(name, protocols, data=on, device=device, report=report)
        else:
            chosen = "" if device == "auto" else device
            found = evaluate_all(run, protocols, step=at, data=data, device=chosen, report=report)
    finally:
        telling.end()
    rows = [line for row in found for line in _lines(row)]
    header = ("protocol", "step", "measured", "95%", "test pictures")
    record: dict[str, Any] = {"id": name if run is None else run.id, "evaluations": found}
    say(record, table(header, rows), as_json)


def _a_model(name: str) -> bool:
    """Whether a name is that of a model inside or of a file."""
    from workbench.models import list_models

    return Path(name).exists() or any(each.name == name for each in list_models())


def _lines(row: dict[str, Any]) -> list[tuple[str, ...]]:
    """A line for an accuracy; for a metric one for each measure and each of its guesses."""
    step, data = str(row.get("step", "-")), row["data"]
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
