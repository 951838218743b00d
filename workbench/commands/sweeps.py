"""Sweeps on the command line: start, list, show with the matrix that they fill, cancel, go on."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench.commands.output import AsJson, place_of, say, table, warnings
from workbench.commands.runs import Dir, Engine, Wait

if TYPE_CHECKING:
    from workbench.runs.sweeps import Sweep

Name = Annotated[str, typer.Argument(metavar="SWEEP", help="Its name, or a unique part of it.")]
SAY_EVERY = 10.0

sweeps = typer.Typer(
    name="sweeps", help="Look at sweeps, stop them, go on with them.", rich_markup_mode=None,
    no_args_is_help=True,
)  # fmt: skip


def teller(name: str) -> Callable[[dict[str, Any]], None]:
    """Say on stderr where a sweep stands, every ten seconds and when its state changes."""
    said: tuple[float, str] = (0.0, "")

    def tell(standing: dict[str, Any]) -> None:
        nonlocal said
        now, words = time.monotonic(), counted(standing)
        if words == said[1] or (now - said[0] < SAY_EVERY and standing["state"] in said[1]):
            return
        said = (now, words)
        typer.echo(f"{name}  {words}", err=True)

    return tell


def counted(standing: dict[str, Any]) -> str:
    """Where a sweep stands, in words."""
    from workbench.runs.sweeps import spoken

    words = [standing["state"], f"{standing['share']:.0%} of all steps"]
    words += [f"{count} {state}" for state, count in sorted(standing["counts"].items())]
    if standing["seconds_left"]:
        words.append(f"about {spoken(standing['seconds_left'])} left")
    return "  ".join(words)


def shown(sweep: "Sweep") -> list[str]:
    """A sweep's standing, the matrix of its first two axes, and what failed."""
    from workbench.runs.boards import board, usual_axes
    from workbench.runs.comparing import compare

    runs = sweep.runs()
    lines = [f"{sweep.name}  {counted(sweep.standing())}", f"folder {sweep.path}"]
    found = compare(runs)
    if found.metrics:
        up, across = usual_axes(found)
        metric = found.metrics[0]
        made = board(found, up, across, metric)
        lines += ["", f"{metric}: {up or 'all'} down, {across or 'all'} across"]
        measure = found.measures[metric]
        cells = [[cell.written(measure) for cell in row] for row in made.cells]
        rows = [[name, *row] for name, row in zip(made.rows, cells, strict=True)]
        lines += table(("", *made.columns), rows)
        if made.mixed:
            lines.append(f"cells are means over {', '.join(made.mixed)}, too")
    lines += warnings({said: len(ids) for said, ids in found.warned.items()})
    for run in runs:
        state = run.state()
        if state["state"] in ("failed", "crashed"):
            lines.append(f"{run.id}  {state['state']}  {state.get('reason', '')}")
    return lines


def record(sweep: "Sweep") -> dict[str, Any]:
    """A sweep as plain values for JSON."""
    told = sweep.record
    return {
        "id": sweep.id, "name": sweep.name, "folder": str(sweep.path), "preset": told.get("preset"),
        "over": told["over"], "overrides": told.get("overrides"),
        "runs": list(sweep.queued().values()), "standing": sweep.standing(),
    }  # fmt: skip


def sweep(
    preset: Annotated[str, typer.Argument(metavar="PRESET", help="Name of the set-up.")],
    over: Annotated[
        list[str], typer.Option(help="key=a,b,c or key=0..3; may be given repeatedly.")
    ],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...", help="Knobs of all runs, other than the preset's."
        ),
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the sweep.")] = "",
    engine: Engine = "",
    wait: Wait = False,
    folder: Dir = None,
    as_json: AsJson = False,
) -> int:
    """Queue a run for every combination of some knobs."""
    from workbench.runs.config import pairs
    from workbench.runs.sweeping import read_over
    from workbench.runs.sweeping import sweep as launch_all

    wanted = read_over(over)
    told = pairs(overrides or [])
    found = launch_all(preset, wanted, dir=folder, overrides=told, name=name, engine=engine)
    states = [state["state"] for state in found.wait(teller(found.name))] if wait else []
    record: dict[str, Any] = {
        "group": found.name, "folder": str(found.path), "runs": [run.id for run in found],
        "states": states, "warned": found.record.get("warned", {}),
    }  # fmt: skip
    lines = shown(found) if wait else [
        f"{len(found)} runs of {found.name} are queued",
        *warnings(record["warned"]),
        f"look: python -m workbench sweeps show {found.id}{place_of(folder)}",
    ]  # fmt: skip
    say(record, lines, as_json)
    return 0 if all(state == "done" for state in states) else 1


@sweeps.command("list")
def listed(folder: Dir = None, as_json: AsJson = False) -> None:
    """List sweeps, the newest first."""
    from workbench.runs.queue import ensure_runner
    from workbench.runs.sweeps import SweepStore

    store = SweepStore(folder)
    ensure_runner(store.store.folder)  # after a restart of the machine something may wait
    found = [record(each) for each in store]
    rows = [(row["name"], str(row["preset"]), counted(row["standing"])) for row in found]
    lines = table(("sweep", "preset", "standing"), rows) if rows else ["no sweeps yet"]
    say({"sweeps": found}, lines, as_json)


@sweeps.command("show")
def show(name: Name, folder: Dir = None, as_json: AsJson = False) -> None:
    """Show a sweep: where it stands, and a table of its first two knobs."""
    from workbench.runs.sweeps import SweepStore

    sweep = SweepStore(folder).get(name)
    say(record(sweep), shown(sweep), as_json)


@sweeps.command("cancel")
def cancel(
    name: Name,
    now: Annotated[bool, typer.Option("--now", help="At once, without a checkpoint.")] = False,
    folder: Dir = None,
    as_json: AsJson = False,
) -> None:
    """Take what waits out of the queue, and stop what goes on."""
    from workbench.runs.sweeps import SweepStore

    sweep = SweepStore(folder).get(name)
    count = sweep.cancel(now=now)
    lines = [f"{count} runs of {sweep.name} were stopped or taken out of the queue"]
    say({**record(sweep), "stopped": count}, lines, as_json)


@sweeps.command("resume")
def resume(
    name: Name,
    wait: Wait = False,
    folder: Dir = None,
    as_json: AsJson = False,
) -> int:
    """Go on with what failed, was cancelled or was never queued; what is done stays."""
    from workbench.runs.sweeps import SweepStore

    sweep = SweepStore(folder).get(name)
    count, refused = sweep.resume()
    states = [state["state"] for state in sweep.wait(teller(sweep.name))] if wait else []
    lines = [f"{count} runs of {sweep.name} are queued again", *refused]
    say(
        {**record(sweep), "queued": count, "refused": refused, "states": states},
        shown(sweep) if wait else lines,
        as_json,
    )
    return 1 if refused or any(state != "done" for state in states) else 0
