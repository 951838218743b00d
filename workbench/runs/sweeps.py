"""Sweeps: a name, a folder, its runs, how far they are; cancelled, gone on with, read as one."""

import re
import secrets
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import BadInput, shown
from workbench.runs.config import RunConfig
from workbench.runs.launching import Handle, cancel, enqueue_all, resume, wait
from workbench.runs.queue import Queue
from workbench.runs.removing import delete
from workbench.runs.store import (
    CONFIG,
    ENDED,
    GOING,
    JsonLines,
    RunStore,
    read_json,
    read_lines,
    write_json,
)

FOLDER = "_sweeps"  # no run begins with a "_"
FILE, PLANNED, QUEUED = "sweep.json", "planned.jsonl", "queued.jsonl"
SCHEMA = 1


@dataclass(frozen=True)
class Sweep:
    """One sweep: a folder that says what was asked for, and the runs that were queued for it."""

    path: Path

    @property
    def id(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def record(self) -> dict[str, Any]:
        """What was asked for: `name`, `preset`, `over`, `overrides`, `created`, `planned` runs."""
        return read_json(self.path / FILE)

    @property
    def name(self) -> str:
        """What people call it; the `group` of its runs."""
        return str(self.record.get("name", self.id))

    @property
    def store(self) -> RunStore:
        """The folder of runs that it is in."""
        return RunStore(self.path.parent.parent)

    def queued(self) -> dict[str, str]:
        """Return the id of the run that was queued for each combination."""
        return {str(row["label"]): str(row["run"]) for row in read_lines(self.path / QUEUED)}

    def runs(self) -> list[Handle]:
        """Return its runs in the order of the combinations; those removed since are left out."""
        folder = self.store.folder
        found = [Handle(folder / name) for name in self.queued().values()]
        return [run for run in found if (run.path / CONFIG).is_file()]

    def __iter__(self) -> Iterator[Handle]:
        return iter(self.runs())

    def __len__(self) -> int:
        return len(self.queued())

    def __getitem__(self, place: int) -> Handle:
        return self.runs()[place]

    def enqueue(self, configs: Sequence[RunConfig]) -> None:
        """Queue runs that belong to it; each is noted as soon as it is there."""
        engine = str(self.record.get("engine", ""))
        whole = [configs] if engine else [[each] for each in configs]  # an engine takes an array
        with JsonLines(self.path / QUEUED) as noted:
            for part in whole if configs else ():
                for run in enqueue_all(part, self.store.folder, engine):
                    noted.write({"label": run.config.name, "run": run.id})

    def standing(self, clock: Callable[[], float] = time.time) -> dict[str, Any]:
        """Return where it stands; see `standing`."""
        states = [run.state() for run in self.runs()]
        queue = Queue(self.store.folder).settings()
        planned = int(self.record.get("planned", len(states)))
        return standing(states, planned, queue["slots"], bool(queue["paused"]), clock())

    def wait(self, report: Callable[[dict[str, Any]], None] | None = None) -> list[dict[str, Any]]:
        """Wait until all of its runs have ended; returns their states."""
        tell = None if report is None else lambda _: report(self.standing())
        return [wait(run, report=tell) for run in self.runs()]

    def cancel(self, *, now: bool = False) -> int:
        """Stop what goes on and take out what waits, the last first; returns how many there were.

        See `launching.cancel` for `now`.
        """
        live = [run for run in self.runs() if run.state()["state"] not in ENDED]
        for run in reversed(live):
            cancel(run, now=now)
        return len(live)

    def delete(self) -> int:
        """Remove it with all of its runs, for good; returns how many runs there were.

        Raises:
            BadInput: some wait, go on or are being evaluated; those that are left stay.
        """
        runs = self.runs()
        live = sum(run.state()["state"] not in ENDED for run in runs)
        if live:
            raise BadInput(f"{live} runs of {shown(self.name)} wait or go on; cancel them first.")
        for run in runs:
            delete(run)
        shutil.rmtree(self.path, ignore_errors=True)
        return len(runs)

    def resume(self) -> tuple[int, list[str]]:
        """Go on with what failed, was cancelled, ended without a word or was never queued.

        Returns:
            How many runs were queued, and a sentence for each that cannot go on.
        """
        count, refused = 0, list[str]()
        for run in self.runs():
            if run.state()["state"] in ENDED - {"done"}:
                try:
                    resume(run)
                    count += 1
                except BadInput as problem:
                    refused.append(str(problem))
        there = self.queued()
        planned = map(RunConfig.read, read_lines(self.path / PLANNED))
        missing = [each for each in planned if each.name not in there]
        self.enqueue(missing)
        return count + len(missing), refused


def standing(
    states: Sequence[Mapping[str, Any]], planned: int, slots: int, paused: bool, now: float
) -> dict[str, Any]:
    """Return where a sweep stands.

    Args:
        states: of its runs, as `Run.state` returns them.
        planned: runs that it is to have.
        slots: runs that the queue trains at once.
        paused: whether the queue is.
        now: seconds since the epoch.

    Returns:
        `state` (running, paused, queued, done, or ended where some runs are not done), `planned`,
        `counts` by state, `share` of all steps that are made, `seconds_left` (from what ended runs
        took a step, waiting and starting included; None while nothing is known).
    """
    counts = Counter(str(each["state"]) for each in states)
    live = sum(n for state, n in counts.items() if state not in ENDED)
    steps = [max(1, int(each.get("steps") or 1)) for each in states]
    made = [
        min(all_of, int(each.get("step") or 0)) for each, all_of in zip(states, steps, strict=True)
    ]
    mean = sum(steps) / max(1, len(steps))
    total = sum(steps) + mean * max(0, planned - len(states))
    going = any(counts[state] for state in GOING)
    if going:
        state = "running"
    elif live:
        state = "paused" if paused else "queued"
    else:
        state = "done" if counts["done"] == planned else "ended"
    return {
        "state": state,
        "planned": planned,
        "counts": dict(counts),
        "share": sum(made) / total if total else 1.0,
        "seconds_left": _left(states, steps, slots, now) if live else 0.0,
    }


def _left(
    states: Sequence[Mapping[str, Any]], steps: Sequence[int], slots: int, now: float
) -> float | None:
    """Seconds until the last of some runs ends, by what those that are done took a step."""
    ended = [
        (float(each["updated"]) - float(each["started"]), count)
        for each, count in zip(states, steps, strict=True)
        if each["state"] == "done" and each.get("started") and each.get("updated")
    ]
    pace = sum(spent for spent, _ in ended) / sum(n for _, n in ended) if ended else None
    left, waiting = list[float](), 0
    for each, count in zip(states, steps, strict=True):
        if each["state"] in ENDED:
            continue
        begun = float(each.get("started") or 0)
        if each["state"] in GOING and each.get("seconds_left") and pace is None:
            made = max(1, int(each.get("step") or 1))
            pace = (now - begun) / made if begun else float(each["seconds_left"]) / count
        if pace is None:
            return None
        whole = pace * count
        gone = now - begun if begun and each["state"] in GOING else 0.0
        left.append(max(0.0, whole - gone))
        waiting += 1
    return sum(left) / max(1, min(slots, waiting))


class SweepStore:
    """The sweeps of one folder of runs."""

    def __init__(self, folder: Path | str | None = None) -> None:
        self.store = RunStore(folder)
        self.folder = self.store.folder / FOLDER

    def create(self, name: str, record: Mapping[str, Any], configs: Sequence[RunConfig]) -> Sweep:
        """Make the folder of a new sweep, and queue its runs.

        Raises:
            BadInput: there is one of that name, or an engine does not take its runs.
        """
        if any(each.name == name for each in self):
            raise BadInput(
                f"there is a sweep called {shown(name)} already; choose another name, or go on "
                "with it: `workbench sweeps resume`."
            )
        stem = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:40] or "sweep"
        path = self.folder / f"{stem}-{secrets.token_hex(3)}"
        path.mkdir(parents=True, mode=0o700)
        told = {"schema": SCHEMA, "name": name, "created": self.store.clock(), **record}
        with JsonLines(path / PLANNED) as planned:
            for config in configs:
                planned.write(config.record())
        write_json(path / FILE, {**told, "planned": len(configs)})
        made = Sweep(path)
        try:
            made.enqueue(configs)
        except BadInput:  # an engine that takes nothing: the name stays free
            shutil.rmtree(path, ignore_errors=True)
            raise
        return made

    def __iter__(self) -> Iterator[Sweep]:
        """The newest first; folders that cannot be read are passed over."""
        found: list[tuple[float, Sweep]] = []
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            told = read_json(path / FILE, {})
            if told:
                found.append((float(told.get("created", 0)), Sweep(path)))
        return iter([each for _, each in sorted(found, key=lambda pair: (-pair[0], pair[1].id))])

    def get(self, name: str) -> Sweep:
        """Return a sweep by its name, its id, or a part of one of them that is unique.

        Raises:
            BadInput: none or several.
        """
        known = {each: each.name for each in self}
        for fits in (
            [each for each, told in known.items() if name in (told, each.id)],
            [each for each, told in known.items() if name and (name in told or name in each.id)],
        ):
            if len(fits) == 1:
                return fits[0]
        told = ", ".join(shown(each) for each in sorted(known.values())[:8]) or "no sweeps yet"
        raise BadInput(f"no single sweep is called {shown(name)}; there are {told}.")


def spoken(seconds: float) -> str:
    """A span of time as a person says it.

    >>> [spoken(each) for each in (4, 200, 9000)]
    ['4 s', '3 min', '2.5 h']
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
