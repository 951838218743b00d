"""Sweeps: a name, a folder, its runs, how far they are; cancelled, gone on with, read as one."""

import math
import re
import secrets
import shutil
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import BadInput, shown
from workbench.runs.beginning import resolved
from workbench.runs.config import RunConfig
from workbench.runs.launching import LOOK_EVERY, Handle, cancel, enqueue_all, resume, wait
from workbench.runs.locking import Lock
from workbench.runs.queue import Queue
from workbench.runs.removing import delete
from workbench.runs.standings import standing
from workbench.runs.store import (
    CONFIG,
    ENDED,
    GOING,
    ID,
    JsonLines,
    RunStore,
    read_json,
    read_lines,
    write_json,
)

FOLDER = "_sweeps"  # no run begins with a "_"
FILE, PLANNED, QUEUED = "sweep.json", "planned.jsonl", "queued.jsonl"
LOCK = ".lock"
SCHEMA = 1
STOPS_WITHIN = 5.0  # seconds that `resume` waits for runs that write their last checkpoint
RUNS_A_SECOND, LOOK_AT_MOST = 100, 10.0  # of which `wait` reads the states, so that it costs < 1%


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
        """What was asked for: `name`, `preset`, `over`, `overrides`, `created`, `planned` runs.

        `warned` holds what was foreseen, see `sweeping.foreseen`.
        """
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
        """Return the id of the run that was queued for each combination.

        A folder may be handed in: what is no id of a run, such as a path, is passed over.
        """
        rows = read_lines(self.path / QUEUED)
        found = [(str(row.get("label", "")), str(row.get("run", ""))) for row in rows]
        return {label: run for label, run in found if ID.fullmatch(run)}

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

    @contextmanager
    def alone(self) -> Generator[None]:
        """Keep other processes from queueing its runs, or deleting it, meanwhile.

        Raises:
            BadInput: one of them does so now.
        """
        lock = Lock(self.path / LOCK)
        if not lock.take():
            raise BadInput(
                f"another process queues runs of {shown(self.name)} just now; try again when "
                "it is through."
            )
        try:
            yield
        finally:
            lock.give()

    def enqueue(self, configs: Sequence[RunConfig]) -> None:
        """Queue runs that belong to it, while `alone`; each is noted as soon as it is there.

        Raises:
            BadInput: one cannot begin, or an engine takes none of them; none is queued then.
        """
        engine = str(self.record.get("engine", ""))
        configs = [resolved(each, self.store.folder) for each in configs]
        if not engine:  # another machine may see other folders
            _data_there(configs)
        whole = [configs] if engine else [[each] for each in configs]  # an engine takes an array
        with JsonLines(self.path / QUEUED) as noted:
            for part in whole if configs else ():
                for run in enqueue_all(part, self.store.folder, engine):
                    noted.write({"label": run.config.name, "run": run.id})

    def standing(self) -> dict[str, Any]:
        """Return where it stands; see `standing`."""
        states = [_told(run) for run in self.runs()]
        queue = Queue(self.store.folder).settings()
        planned = int(self.record.get("planned", len(states)))
        return standing(states, planned, queue["slots"], bool(queue["paused"]))

    def wait(self, report: Callable[[dict[str, Any]], None] | None = None) -> list[dict[str, Any]]:
        """Wait until all of its runs have ended; returns their states.

        `report` is called with the standing: of few runs at each look, of many now and then, and
        at the end.
        """
        runs = self.runs()
        every = min(LOOK_AT_MOST, max(LOOK_EVERY, len(runs) / RUNS_A_SECOND))
        told = -math.inf

        def tell(_: dict[str, Any]) -> None:
            nonlocal told
            if report is not None and time.monotonic() - told >= every:
                report(self.standing())
                told = time.monotonic()

        states = [wait(run, report=tell) for run in runs]
        if report is not None:
            report(self.standing())
        return states

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
        with self.alone():
            runs = self.runs()
            live = sum(run.state()["state"] not in ENDED for run in runs)
            if live:
                raise BadInput(
                    f"{live} runs of {shown(self.name)} wait or go on; cancel them first."
                )
            for run in runs:
                delete(run)
            shutil.rmtree(self.path, ignore_errors=True)
            return len(runs)

    def resume(self) -> tuple[int, list[str]]:
        """Go on with what failed, was cancelled, ended without a word or was never queued.

        Runs that are stopping are waited for, 5 s in all.

        Returns:
            How many runs were queued, and a sentence for each that cannot go on.

        Raises:
            BadInput: another process queues its runs just now.
        """
        with self.alone():
            count, refused = 0, list[str]()
            until = time.monotonic() + STOPS_WITHIN
            for run in self.runs():
                try:
                    count += _again(run, until)
                except BadInput as problem:
                    refused.append(str(problem))
            there = self.queued()
            planned = map(RunConfig.read, read_lines(self.path / PLANNED))
            missing = [each for each in planned if each.name not in there]
            try:
                self.enqueue(missing)
            except BadInput as problem:
                return count, [*refused, str(problem)]
            return count + len(missing), refused


def _sound(record: Mapping[str, Any]) -> bool:
    """Whether a record is one that `create` wrote; the folder may have been handed in."""
    over = record.get("over")
    return (
        isinstance(record.get("created"), int | float)
        and isinstance(record.get("planned"), int)
        and isinstance(over, dict)
        and all(isinstance(values, list) for values in over.values())
    )


def _data_there(configs: Sequence[RunConfig]) -> None:
    from workbench.data.sets import DATASETS

    for data in {each.data for each in configs}:
        DATASETS.parse(data).there()


def _again(run: Handle, until: float) -> bool:
    """Queue a run again if it ended before it was done; one that is stopping is waited for."""
    while (state := run.state()["state"]) == "stopping" and time.monotonic() < until:
        time.sleep(LOOK_EVERY)
    if state == "stopping":
        raise BadInput(f"{run.id} is still stopping; resume the sweep again once it has ended.")
    if state not in ENDED - {"done"}:
        return False
    resume(run)
    return True


def _told(run: Handle) -> dict[str, Any]:
    """The state of a run, with its batch where its rate has to be made a time a step."""
    state = run.state()
    if state.get("rate") and (state["state"] in GOING or state.get("tries")):
        return {**state, "batch": read_json(run.path / CONFIG, {}).get("batch")}
    return state


class SweepStore:
    """The sweeps of one folder of runs."""

    def __init__(self, folder: Path | str | None = None) -> None:
        self.store = RunStore(folder)
        self.folder = self.store.folder / FOLDER

    def create(self, name: str, record: Mapping[str, Any], configs: Sequence[RunConfig]) -> Sweep:
        """Make the folder of a new sweep, and queue its runs.

        Raises:
            BadInput: there is one of that name, a run cannot begin, or an engine does not take
                them.
        """
        if any(each.name == name for each in self):
            raise BadInput(
                f"there is a sweep called {shown(name)} already; choose another name, or go on "
                "with it: `python -m workbench sweeps resume`."
            )
        stem = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:40] or "sweep"
        path = self.folder / f"{stem}-{secrets.token_hex(3)}"
        path.mkdir(parents=True, mode=0o700)
        told = {"schema": SCHEMA, "name": name, "created": self.store.clock(), **record}
        made = Sweep(path)
        with made.alone():  # before others can see it
            with JsonLines(path / PLANNED) as planned:
                for config in configs:
                    planned.write(config.record())
            write_json(path / FILE, {**told, "planned": len(configs)})
            try:
                made.enqueue(configs)
            except BadInput:
                if not made.queued():  # the name stays free
                    shutil.rmtree(path, ignore_errors=True)
                raise
        return made

    def __iter__(self) -> Iterator[Sweep]:
        """The newest first; folders that cannot be read are passed over."""
        found: list[tuple[float, Sweep]] = []
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            told = read_json(path / FILE, {}) if ID.fullmatch(path.name) else {}
            if _sound(told):
                found.append((float(told["created"]), Sweep(path)))
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
