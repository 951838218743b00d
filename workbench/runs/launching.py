"""Start, stop and go on with runs; each works in a process of its own, through the queue."""

import contextlib
import json
import os
import shutil
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench.errors import BadInput
from workbench.runs.beginning import resolved
from workbench.runs.config import OPERATIONAL, RunConfig, completed, difference
from workbench.runs.handing import ask_after, hand_over, handed
from workbench.runs.identity import end_tree
from workbench.runs.queue import Queue, ensure_runner
from workbench.runs.spelling import spelled
from workbench.runs.store import (
    AT_ONCE,
    AT_ONCE_ASKED,
    CONFIG,
    ENDED,
    GOING,
    STATE,
    STOP,
    Run,
    RunStore,
    read_json,
    write_json,
)
from workbench.runs.surroundings import CARRIED

LOOK_EVERY, ASK_EVERY = 0.2, 5.0
END_WITHIN = 10.0


class Handle(Run):
    """A run that can be waited for, stopped and gone on with."""

    def wait(
        self,
        timeout: float | None = None,
        report: Callable[[dict[str, Any]], None] | None = None,
    ) -> dict[str, Any]:
        """Wait until it has ended; returns its state, see `wait`."""
        return wait(self, timeout, report)

    def cancel(self, *, now: bool = False) -> dict[str, Any]:
        """Stop it after a checkpoint, or now; see `cancel`."""
        return cancel(self, now=now)

    def resume(self, **changes: Any) -> "Handle":
        """Go on from its newest checkpoint; see `resume`."""
        return resume(self, changes)


def launch(
    preset: str | RunConfig,
    *,
    dir: Path | str | None = None,
    overrides: Mapping[str, Any] | None = None,
    engine: str = "",
    **knobs: Any,
) -> Handle:
    """Queue a run and return it at once; it starts when a slot is free.

    Args:
        preset: a preset's name, or a configuration.
        dir: folder of runs; None for `runs` under WORKBENCH_HOME.
        overrides: knobs other than the preset's, as text or plain values.
        engine: who runs it, such as `slurm(partition="gpu")`; empty for this machine's queue.
        **knobs: as `overrides`.

    Raises:
        BadInput: an unknown preset, knob or value, or parts that do not go together.
    """
    return enqueue(configured(preset, {**(overrides or {}), **knobs}), dir, engine)


def configured(preset: str | RunConfig, overrides: Mapping[str, Any]) -> RunConfig:
    """Return a preset with other knobs, its recipes read, checked and written canonically.

    `mask.ratio`, `objective.norm_pix`, `data.path` and the like change one knob of a recipe;
    `ratio` is short for `mask.ratio`.
    """
    from workbench.runs.presets import run_preset
    from workbench.runs.setting import canonical, with_knob

    base = preset if isinstance(preset, RunConfig) else run_preset(preset)
    whole = {name: value for name, value in overrides.items() if not _of_recipe(name)}
    config = base.changed(whole)
    for name, value in overrides.items():
        if _of_recipe(name):
            field, _, knob = ("mask.ratio" if name == "ratio" else name).partition(".")
            config = with_knob(config, field, knob, value)
    return canonical(config)


def _of_recipe(name: str) -> bool:
    return name == "ratio" or "." in name


def enqueue(config: RunConfig, dir: Path | str | None = None, engine: str = "") -> Handle:
    """Make the folder of a checked configuration and put it into the queue."""
    return enqueue_all([config], dir, engine)[0]


def enqueue_all(
    configs: Sequence[RunConfig], dir: Path | str | None = None, engine: str = ""
) -> list[Handle]:
    """Put runs into this machine's queue, or hand them to an engine all at once.

    Raises:
        BadInput: their data are not there, or the engine does not take them; none is left.
    """
    store = RunStore(dir)
    configs = [resolved(each, store.folder) for each in configs]
    from workbench.data.sets import DATASETS

    if not engine:  # another machine may see other folders
        for data in {each.data for each in configs}:
            DATASETS.parse(data).there()
    variables = {name: os.environ[name] for name in CARRIED if name in os.environ}
    runs: list[Handle] = []
    for config in configs:
        preset, changed = spelled(config)
        launch = {"preset": preset, "knobs": changed}
        told = {"folder": str(Path.cwd()), "variables": variables, "launch": launch}
        runs.append(Handle(store.create(config, told).path))
    if engine:
        try:
            hand_over(runs, engine)
        except BaseException:
            for run in runs:
                shutil.rmtree(run.path, ignore_errors=True)
            raise
        return runs
    for run in runs:
        Queue(store.folder).add(run)
    ensure_runner(store.folder)
    return runs


def get(name: str, dir: Path | str | None = None) -> Handle:
    """Return a run by its id or a unique part of it."""
    return Handle(RunStore(dir).get(name).path)


def wait(
    run: Run, timeout: float | None = None, report: Callable[[dict[str, Any]], None] | None = None
) -> dict[str, Any]:
    """Wait until a run has ended and return its state; each look calls `report`.

    Raises:
        TimeoutError: it goes on after `timeout` seconds.
    """
    began = asked = time.monotonic()
    while True:
        if time.monotonic() - asked > ASK_EVERY:
            asked = time.monotonic()
            ask_after([run])
        state = run.state()
        if report is not None:
            report(state)
        if state["state"] in ENDED:
            return state
        if timeout is not None and time.monotonic() - began > timeout:
            raise TimeoutError(f"{run.id} is {state['state']} after {timeout} s")
        ensure_runner(run.path.parent)
        time.sleep(LOOK_EVERY)


def cancel(run: Run, *, now: bool = False) -> dict[str, Any]:
    """Stop a run: after a checkpoint at its next step, or now.

    Args:
        run: waiting or going; nothing happens to one that has ended.
        now: end its process and all that it started; none is left after 10 s, and what was trained
            since the last checkpoint is lost.

    Returns:
        The state. After a soft cancel it may still be "stopping".
    """
    Queue(run.path.parent).remove(run.id)
    state = run.state()
    if state["state"] in ENDED:
        return state
    (run.path / STOP).touch()
    has = handed(run)
    if state["state"] == "queued" and not _being_started(run):
        if has is not None:
            with contextlib.suppress(BadInput):  # a job that starts all the same finds the file
                has[0].end(has[1], str(run.path.parent))
        return run.set_state(state="cancelled", reason="taken out of the queue")
    state = _started(run)
    if state["state"] in ENDED:
        return state
    if not now:  # the file is enough; one that still loads its data sees it at its first step
        return run.state()
    (run.path / AT_ONCE_ASKED).touch()  # so that nobody takes it for a crash meanwhile
    if has is not None:
        has[0].end(has[1], str(run.path.parent))
    # a busy machine takes long to start a process: the queue knows it before it says who it is
    for told in (state, _job(run)):
        if told.get("pid") and told.get("mark"):
            end_tree(int(told["pid"]), str(told["mark"]))
    Queue(run.path.parent).ended(run.id)
    state = run.state()
    if state["state"] in ("done", "failed"):  # it had come to its end by itself
        return state
    return run.set_state(state="cancelled", reason=AT_ONCE, seconds_left=None)


def _job(run: Run) -> dict[str, Any]:
    """The queue's row of a run that was started; {} for none."""
    jobs = Queue(run.path.parent).jobs()
    return next((j for j in jobs if j["run"] == run.id and j["state"] == "started"), {})


def _being_started(run: Run) -> bool:
    return bool(_job(run))


def _started(run: Run) -> dict[str, Any]:
    """Wait until a process that is just being started has said who it is."""
    until = time.monotonic() + END_WITHIN
    state = run.state()
    while state["state"] == "queued" and time.monotonic() < until:
        time.sleep(0.05)
        state = run.state()
    return state


def resume(run: Run, overrides: Mapping[str, Any] | None = None) -> Handle:
    """Put a run that has ended into the queue again; it goes on from its newest checkpoint.

    Args:
        run: cancelled, failed or crashed; or queued where no queue knows of it.
        overrides: knobs to change; only those that change no number.

    Raises:
        BadInput: it is still going, it is done, or a knob was changed that decides its numbers: the
            sentence names each with both values.
    """
    state = run.state()
    if state["state"] in GOING or (state["state"] == "queued" and not _forgotten(run)):
        raise BadInput(f"{run.id} is {state['state']}; wait for its end, or cancel it first.")
    config = run.config.changed(overrides or {})
    saved = run.checkpoints()
    begun = checkpoint_record(saved[-1][1]) if saved else run.record
    found = difference(completed(begun), config.record())
    found = {k: v for k, v in found.items() if k not in OPERATIONAL and k != "carried"}
    if found:
        said = ", ".join(f"{k} was {was!r} and is {now!r}" for k, (was, now) in found.items())
        raise BadInput(
            f"{run.id} was begun with another configuration ({said}); put these back, or start a "
            "new run with them."
        )
    if state["state"] == "done":
        raise BadInput(f"{run.id} is done after {state.get('step')} steps; start a new run.")
    write_json(run.path / CONFIG, config.record(), lasting=True)
    for asked in (STOP, AT_ONCE_ASKED):
        (run.path / asked).unlink(missing_ok=True)
    tries = int(state.get("tries", 0)) + 1
    before = read_json(run.path / STATE, {})
    fresh = {"pid": None, "mark": None, "reason": "", "problem": "", "alert": ""}
    run.set_state(state="queued", tries=tries, **fresh)
    has = handed(run)
    if has is not None:
        try:
            hand_over([run], str(has[0]))
        except BaseException:
            write_json(run.path / STATE, before)  # or it would wait for ever
            raise
    else:
        Queue(run.path.parent).add(run)
        ensure_runner(run.path.parent)
    return Handle(run.path)


def _forgotten(run: Run) -> bool:
    """Whether nobody will start a queued run: who made it was ended before the queue had it."""
    jobs = {job["run"] for job in Queue(run.path.parent).jobs()}
    return handed(run) is None and run.id not in jobs


def checkpoint_record(path: Path) -> dict[str, Any]:
    """Read the configuration out of a checkpoint's header, without torch."""
    try:
        with path.open("rb") as file:
            size = struct.unpack("<Q", file.read(8))[0]
            if size > 1 << 28:
                raise ValueError("its header is too long")
            header = json.loads(file.read(size))
        return dict(json.loads(header["__metadata__"]["record"]))
    except (OSError, ValueError, KeyError, struct.error) as error:
        raise BadInput(
            f"{path} is no checkpoint of a run ({error}); remove it and resume from the one before."
        ) from None
