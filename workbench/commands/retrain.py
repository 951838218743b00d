"""`retrain`: DiffROAR, whether training again on what a map calls highest is worth more."""

import re
import time
from typing import Annotated, Any

import typer

from workbench.commands.arguments import number_option
from workbench.commands.output import AsJson, say
from workbench.commands.output import table as columns
from workbench.commands.progress import Telling
from workbench.errors import BadInput

retrain = typer.Typer(help="Judge attributions by training again.", no_args_is_help=True)
RunName = Annotated[str, typer.Argument(metavar="RUN", help="A run of supervised, by its id.")]


@retrain.callback()
def about() -> None:
    """Judge attributions by training again."""


@retrain.command()
def start(
    run: RunName,
    methods: Annotated[str, typer.Option(help="With ; between.")] = "saliency; random",
    remove_with: Annotated[str, typer.Option(help="For methods that remove.")] = "black",
    shares: Annotated[str, typer.Option(help="Of the pixels that stay, with ; between.")] = "0.5",
    seeds: Annotated[int, number_option("Trainings of each.")] = 3,
    most: Annotated[int, number_option("Pictures of each part at most; 0 for all.")] = 0,
    wait: Annotated[bool, typer.Option("--wait", help="Until all have ended.")] = False,
    as_json: AsJson = False,
) -> None:
    """Rank the pixels of all pictures by each method and queue trainings on top and bottom."""
    from workbench.runs.launching import get
    from workbench.runs.retraining import rank_pixels
    from workbench.runs.retraining import retrain as queue

    found, levels, ticker = get(run), _numbers(shares), Telling("pictures")
    name = f"retrain-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
    parts = [each.strip() for each in methods.split(";") if each.strip()]
    ranked: list[Any] = []
    for each in parts:
        place = found.path / "ranks" / f"{re.sub(r'[^a-z0-9_=.]+', '-', each).strip('-')}.npz"
        ranked.append(rank_pixels(found, each, remove_with, place, most=most, watch=ticker.tell))
    ticker.end()
    runs = queue(found, ranked, shares=levels, seeds=range(seeds), name=name)
    if wait:
        for each in runs:
            each.wait()
    record = {
        "name": name, "run": found.id, "runs": [each.id for each in runs],
        "maps": [
            {"method": each.method, "on_null": each.null, "on_signal": each.signal}
            for each in ranked
        ],
    }  # fmt: skip
    lines = [f"{len(runs)} trainings queued as {name}; `retrain show {name}` has the table."]
    lines += [
        f"{each.method}: {each.signal:.1%} of the maps on the digit, {each.null:.1%} on the null "
        "block"
        for each in ranked
        if each.null == each.null
    ]
    say(record, lines, as_json)


@retrain.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What `retrain start` said.")],
    as_json: AsJson = False,
) -> None:
    """Show DiffROAR by method and share, of what has ended so far."""
    from workbench.runs.retraining import table
    from workbench.runs.sweeps import SweepStore

    rows = table(list(SweepStore().get(name)))
    cells = [
        (row["method"], f"{row['share']:.2f}", _told(row["top"]), _told(row["bottom"]),
         f"{_told(row['diff'], '+.1%')} ± {_told(row['half'])}", str(row["seeds"]))
        for row in rows
    ]  # fmt: skip
    heads = ("method", "kept", "top", "bottom", "DiffROAR", "seeds")
    say({"name": name, "rows": rows}, columns(heads, cells), as_json)


def _told(value: float, form: str = ".1%") -> str:
    return format(value, form) if value == value else "–"


def _numbers(text: str) -> list[float]:
    try:
        return [float(each) for each in text.split(";") if each.strip()]
    except ValueError:
        raise BadInput(f"--shares is {text!r}, wanted numbers such as '0.3; 0.5'.") from None
