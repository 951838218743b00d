"""How long runs will take, from those that are done on this machine."""

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from workbench.runs.config import RunConfig, completed
from workbench.runs.store import Run, RunStore

LOOKED_AT = 40
# What decides the time of a picture; the batch counts by the pictures in it.
SAME = (
    "objective", "size", "patch", "dim", "depth", "mlp", "device", "precision", "threads",
    "processes",
)  # fmt: skip


def usual_seconds(configs: Sequence[RunConfig], folder: Path | str | None = None) -> float | None:
    """Return the seconds of training of all of them; None where no run like one of them is known.

    Like it is one that is done, here and not by an engine, with the same objective, model, data
    set and device. Looks at the newest few runs of the folder only, and takes the newest like it.
    """
    rates, store = dict[tuple[Any, ...], float](), RunStore(folder)
    for name in islice(reversed(store.ids()), LOOKED_AT):
        run = Run(store.folder / name)
        row = run.row()
        if row["state"] == "done" and row.get("rate") and not run.handed():
            rates.setdefault(_told(completed(row["config"])), float(row["rate"]))
    found = [(each, rates.get(_told(each.record()))) for each in configs]
    times = [each.steps * each.batch / rate for each, rate in found if rate is not None]
    return sum(times) if len(times) == len(configs) else None


def _told(record: Mapping[str, Any]) -> tuple[Any, ...]:
    return (str(record["data"]).partition("(")[0], *(record[name] for name in SAME))
