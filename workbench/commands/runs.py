"""Runs on the command line: start, look, stop, go on, compare; and what can be run."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench.commands.arguments import number_option
from workbench.commands.output import AsJson, escaped, place_of, say, table, warnings
from workbench.commands.protocols import standing
from workbench.errors import BadInput

if TYPE_CHECKING:
    from workbench.runs.store import Run

Dir = Annotated[
    Path | None, typer.Option("--dir", help="Folder of runs; without it runs in WORKBENCH_HOME.")
]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="A run's id, or a unique part of it.")]
Wait = Annotated[bool, typer.Option("--wait", help="Stay until it has ended.")]
Engine = Annotated[
    str,
    typer.Option(help="Who runs it, as 'slurm(partition=\"gpu\")' or 'ray()'; else this machine."),
]
SAY_EVERY = 10.0

runs = typer.Typer(
    name="runs", help="Look at runs, stop them, go on with them.", rich_markup_mode=None,
    no_args_is_help=True,
)  # fmt: skip


def start(
    preset: str, overrides: list[str], folder: Path | None, wait: bool, check: bool, engine: str,
    as_json: bool,
) -> int:  # fmt: skip
    """Queue a run of a preset, or only measure what it would take."""
    from workbench.runs.config import pairs
    from workbench.runs.launching import configured, enqueue
    from workbench.runs.queue import Queue
    from workbench.runs.rehearsing import preflight

    config = configured(preset, pairs(overrides))
    if check:
        found = preflight(config, folder)
        found["command"] += place_of(folder)
        say(found, _rehearsed(found), as_json)
        return 1 if found["problems"] else 0
    run = enqueue(config, folder, engine)
    record: dict[str, Any] = {"id": run.id, "folder": str(run.path), "config": config.record()}
    if wait:
        return _waited(run, record, as_json, folder)
    before = [job["run"] for job in Queue(run.path.parent).jobs()]
    ahead = before.index(run.id) if run.id in before else 0
    lines = [
        f"{run.id} is queued"
        + (f" behind {ahead} other{'s' if ahead > 1 else ''}" if ahead else ""),
        f"look: python -m workbench runs show {run.id}{place_of(folder)}",
    ]
    say({**record, "state": run.state()}, lines, as_json)
    return 0


def _waited(run: "Run", record: dict[str, Any], as_json: bool, folder: Path | None) -> int:
    from workbench.runs.launching import wait

    try:
        state = wait(run, report=_teller())
    except KeyboardInterrupt:
        stop = f"python -m workbench runs cancel {run.id}{place_of(folder)}"
        typer.echo(f"{run.id} goes on; to stop it: {stop}", err=True)
        raise
    say({**record, "state": state}, _shown(run, state), as_json)
    return 0 if state["state"] in ("done", "cancelled") else 1


def _teller() -> Callable[[dict[str, Any]], None]:
    """Say on stderr where a run stands: when its state changes, and every ten seconds."""
    said: tuple[float, str] = (0.0, "")

    def tell(state: dict[str, Any]) -> None:
        nonlocal said
        now = time.monotonic()
        if state["state"] == said[1] and now - said[0] < SAY_EVERY:
            return
        said = (now, state["state"])
        typer.echo(_standing(state), err=True)

    return tell


def _standing(state: dict[str, Any]) -> str:
    words = [state["state"], f"step {state.get('step', 0)} of {state.get('steps', '?')}"]
    if state.get("rate"):
        words.append(f"{state['rate']:.0f} pictures/s")
    if state.get("seconds_left"):
        words.append(f"{_span(state['seconds_left'])} left")
    if state.get("reason"):
        words.append(str(state["reason"]))
    return "  ".join(words)


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _rehearsed(found: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    if "seconds" in found:
        spent, processes = found["seconds"], found["processes"]
        each = f" in each of {processes} processes" if processes > 1 else ""
        lines += [
            f"one step {spent['step'] * 1000:.0f} ms ({found['rate']:.0f} pictures/s, "
            f"{found['device']}, {found['precision']}, {found['threads']} threads)",
            f"all of it {_span(spent['all'])}, {spent['load']:.1f} s of it to read "
            f"{found['pictures']:,} pictures",
            f"memory {found['memory'] / 2**20:.0f} MB{each}, "
            f"{found['memory_free'] / 2**20:.0f} free",
            f"disk {found['disk'] / 2**20:.0f} MB of {found['disk_free'] / 2**20:.0f} free",
        ]
    lines += [f"left out: {reason}" for _, reason in found["skipped"]]
    lines += [f"problem: {sentence}" for sentence in found["problems"]]
    return [*lines, f"start it: {found['command']}"]


@runs.command("list")
def listed(
    folder: Dir = None,
    group: Annotated[str, typer.Option(help="Runs of this sweep only.")] = "",
    as_json: AsJson = False,
) -> None:
    """List runs, the newest first."""
    from workbench.runs.handing import ask_after
    from workbench.runs.queue import ensure_runner
    from workbench.runs.store import RunStore

    store = RunStore(folder)
    ensure_runner(store.folder)  # after a restart of the machine something may wait
    ask_after(store)
    found = [row for row in store.table() if not group or row["config"].get("group") == group]
    rows = [
        (
            row["id"], row["state"], f"{row.get('step', 0)}/{row.get('steps', '?')}",
            row["config"].get("objective", ""), row["config"].get("mask", ""),
            row["config"].get("name", ""),
        )
        for row in found
    ]  # fmt: skip
    header = ("run", "state", "steps", "objective", "mask", "name")
    say({"runs": found}, table(header, rows) if rows else ["no runs yet"], as_json)


@runs.command("show")
def show(name: RunName, folder: Dir = None, as_json: AsJson = False) -> None:
    """Show a run: state, configuration, newest numbers, files."""
    from workbench.runs.store import RunStore

    run = RunStore(folder).get(name)
    state, metrics = run.state(), run.metrics()
    record = {
        "id": run.id, "folder": str(run.path), "state": state, "config": run.record,
        "environment": run.environment, "engine": run.handed(), "metrics": metrics[-1:],
        "alerts": run.alerts(), "evaluations": run.evaluations(),
        "checkpoints": [str(path) for _, path in run.checkpoints()],
        "pictures": [str(path) for _, _, path in run.pictures()],
    }  # fmt: skip
    say(record, _shown(run, state), as_json)


def _shown(run: "Run", state: dict[str, Any]) -> list[str]:
    lines = [f"{run.id}  {_standing(state)}", f"folder {run.path}"]
    has = run.handed()
    if has:
        lines.append(f"handed to {has['engine']} as job {has['job']}")
    told = run.record
    lines.append("  ".join(f"{key}={told.get(key)}" for key in ("objective", "mask", "data")))
    for row in run.metrics()[-1:]:
        lines.append(f"loss {row['loss']:.5g} at step {row['step']}")
    for row in run.evaluations():
        lines.append(standing(row))
    lines += [f"alert: {escaped(str(row.get('sentence')))}" for row in run.alerts()[-5:]]
    return lines


@runs.command("log")
def log(
    name: RunName,
    lines: Annotated[int, number_option("Lines from the end.")] = 50,
    folder: Dir = None,
    as_json: AsJson = False,
) -> None:
    """Print the end of what a run's process has said."""
    from workbench.runs.store import RunStore

    if lines < 1:
        raise BadInput(f"--lines is {lines}, but must be 1 or more; 50 is usual.")
    run = RunStore(folder).get(name)
    text = run.log(lines)
    say({"id": run.id, "log": text}, text or ["nothing was printed yet"], as_json)


@runs.command("export")
def export(
    name: RunName,
    out: Annotated[Path, typer.Option(help="Folder for config.json and model.safetensors.")],
    half: Annotated[bool, typer.Option("--half", help="In fp16, at half the size.")] = False,
    folder: Dir = None,
    as_json: AsJson = False,
) -> None:
    """Write what a run has trained as a folder that timm reads."""
    from workbench.models.loading import load_network
    from workbench.runs.exporting import export_run

    written = export_run(name, out, folder, half)
    found = load_network(written.resolve())  # what was written is read before it is promised
    alone = "total_stride" in (written / "config.json").read_text(encoding="utf-8")
    how = (
        "its strides fit small pictures, which load_network restores and timm does not"
        if alone
        else f'timm.create_model("local-dir:{written}", pretrained=True)'
    )
    say(
        {"folder": str(written), "classes": list(found.labels), "size": list(found.size)},
        [f"written to {written}", how],
        as_json,
    )


@runs.command("cancel")
def cancel(
    name: RunName,
    now: Annotated[bool, typer.Option("--now", help="At once, without a checkpoint.")] = False,
    folder: Dir = None,
    as_json: AsJson = False,
) -> None:
    """Stop a run after a checkpoint at its next step, or now."""
    from workbench.runs.launching import cancel as stop
    from workbench.runs.store import RunStore

    run = RunStore(folder).get(name)
    state = stop(run, now=now)
    say({"id": run.id, "state": state}, [f"{run.id}  {_standing(state)}"], as_json)


@runs.command("resume")
def resume(
    name: RunName,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="Knobs such as keep=9 or save_every=50."),
    ] = None,
    wait: Wait = False,
    folder: Dir = None,
    as_json: AsJson = False,
) -> int:
    """Go on with a run from its newest checkpoint."""
    from workbench.runs.config import pairs
    from workbench.runs.launching import resume as go_on
    from workbench.runs.store import RunStore

    run = go_on(RunStore(folder).get(name), pairs(overrides or []))
    if wait:
        return _waited(run, {"id": run.id}, as_json, folder)
    say({"id": run.id, "state": run.state()}, [f"{run.id} is queued again"], as_json)
    return 0


@runs.command("compare")
def compare(
    names: Annotated[list[str] | None, typer.Argument(metavar="RUN...")] = None,
    group: Annotated[str, typer.Option(help="All runs of this sweep.")] = "",
    folder: Dir = None,
    as_json: AsJson = False,
) -> None:
    """Compare runs: what differs, and means with 95% intervals over seeds."""
    from workbench.runs.comparing import compare as beside
    from workbench.runs.store import RunStore

    store = RunStore(folder)
    found = [store.get(name) for name in names or []]
    if group:
        found += [run for run in store if run.record.get("group") == group]
    if not found:
        raise BadInput("nothing to compare; name two runs or more, or a sweep with --group.")
    result = beside(found)
    knobs = [name for name in result.differing if name != "seed"]
    metrics = result.metrics
    rows: list[list[str]] = []
    for each in result.groups:
        cells = [str(each["knobs"].get(name, "")) for name in knobs]
        means = [each["metrics"].get(name) for name in metrics]
        told = [
            "–" if mean is None else result.measures[name].written(mean.mean, mean.half)
            for name, mean in zip(metrics, means, strict=True)
        ]
        rows.append([*cells, str(len(each["runs"])), *told])
    lines = table([*knobs, "runs", *metrics], rows)
    lines += warnings({said: len(ids) for said, ids in result.warned.items()})
    say(result.as_dict(), lines, as_json)


@runs.command("queue")
def queue(
    settings: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Such as slots=2.")
    ] = None,
    first: Annotated[str, typer.Option(help="A waiting run to start next.")] = "",
    folder: Dir = None,
    as_json: AsJson = False,
) -> None:
    """Show the queue; set slots, gpus, paused or keep_going; choose which run is next."""
    from workbench.commands.arguments import whole
    from workbench.runs.config import pairs
    from workbench.runs.queue import Queue, ensure_runner
    from workbench.runs.store import RunStore

    store = RunStore(folder)
    found = Queue(store.folder)
    if settings:
        found.set(**{key: whole(value) for key, value in pairs(settings).items()})
    if first:
        found.move(store.get(first).id, 0)
    ensure_runner(store.folder)
    told = found.settings()
    rows = [(job["run"], job["state"], str(job["slot"])) for job in found.jobs()]
    lines = ["  ".join(f"{key}={value}" for key, value in told.items())]
    lines += table(("run", "state", "slot"), rows) if rows else ["nothing waits and nothing runs"]
    say({"settings": told, "jobs": found.jobs()}, lines, as_json)


def objectives(as_json: AsJson = False) -> None:
    """List what a network can be asked to predict, with knobs and presets."""
    from workbench.objectives import OBJECTIVES

    found = OBJECTIVES.describe()
    for row in found:
        row["presets"] = list(OBJECTIVES.get(row["name"]).presets)
    rows = [(row["name"], row["takes"], row["paper"], row["summary"]) for row in found]
    problems = OBJECTIVES.problems()
    lines = table(("objective", "takes", "paper", "what it does"), rows)
    lines += [f"Left out: {sentence}" for sentence in problems.values()]
    say({"objectives": found, "problems": problems}, lines, as_json)


def presets(as_json: AsJson = False) -> None:
    """List training set-ups by name."""
    from workbench.runs.presets import run_presets

    found = run_presets()
    rows = [
        (name, each.objective, each.data, str(each.steps), f"{each.size} px, batch {each.batch}")
        for name, each in found.items()
    ]
    record = {name: each.record() for name, each in found.items()}
    lines = table(("preset", "objective", "data", "steps", "pictures"), rows)
    say({"presets": record}, lines, as_json)
