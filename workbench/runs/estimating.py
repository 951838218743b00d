"""How long a run will take, from those that are done on this machine."""

from collections.abc import Mapping
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


def usual_seconds(config: RunConfig, folder: Path | str | None = None) -> float | None:
    """Return the seconds of training at the rate of the newest run like it; None: there is none.

    Like it is one that is done, here and not by an engine, with the same objective, model, data
    set and device. Looks at the newest few runs of the folder only.
    """
    store, wanted = RunStore(folder), _told(config.record())
    for name in islice(reversed(store.ids()), LOOKED_AT):
        run = Run(store.folder / name)
        row = run.row()
        if row["state"] != "done" or not row.get("rate") or run.handed():
            continue
        if _told(completed(row["config"])) == wanted:
            return config.steps * config.batch / float(row["rate"])
    return None


def _told(record: Mapping[str, Any]) -> list[Any]:
    return [str(record["data"]).partition("(")[0], *(record[name] for name in SAME)]
