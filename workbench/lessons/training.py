"""Lessons on training: what a run will take, how it grew, what its features are worth."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from workbench.data.sets import DATASETS, Pictures
from workbench.errors import BadInput
from workbench.evaluations import EVALUATIONS, Features, Score
from workbench.lessons.boards import Chart, Listing, Strips
from workbench.lessons.watching import TITLES, open_strip, span, title
from workbench.runs import Handle, compare, preflight
from workbench.runs.comparing import Mean
from workbench.runs.evaluating import INITIAL, evaluate_all
from workbench.runs.launching import configured
from workbench.runs.store import Run

PROTOCOLS = ("knn", "linear_probe")
WORDS = {"knn": "k-NN", "linear_probe": "linear probe", "loss": "last loss"}


def show_plan(preset: str, settings: Mapping[str, Any]) -> Listing:
    """What a run will take: some real steps are made and timed, in a process of their own."""
    config = configured(preset, settings)
    found = preflight(config)
    seconds = found["seconds"]
    rows = (
        ("pictures", f"{found['pictures']:,} of {config.data}, {config.size} x {config.size} px"),
        ("what is learnt", config.objective),
        ("under", config.mask),
        ("weights", f"{found['parameters']:,}"),
        ("one step", f"{seconds['step'] * 1000:.0f} ms for {config.batch} pictures"),
        (f"all {config.steps:,} steps", span(seconds["all"])),
        ("memory", f"{found['memory'] / 2**20:.0f} MB"),
        ("disk", f"{found['disk'] / 2**20:.0f} MB"),
    )
    return Listing(("", "measured here, now"), rows)


def go_on(run: Handle) -> Handle:
    """Resume a run that was stopped; one that came to its end before stays as it is."""
    return run if run.state()["state"] == "done" else run.resume()


def show_growth(run: Run, most: int = 6) -> Strips:
    """What the model said of the same eight pictures, from its first weights to its last.

    Raises:
        BadInput: it has written no pictures yet.
    """
    by_step: dict[int, dict[str, Any]] = {}
    for step, name, path in run.pictures():
        by_step.setdefault(step, {})[name] = path
    said = [step for step, files in by_step.items() if TITLES[2] in files]
    if not said:
        raise BadInput(f"{run.id} has no pictures yet; watch it until it has made some steps.")
    rows = [(name, open_strip(by_step[said[0]][name])) for name in TITLES[:2]]
    rows += [(f"step {step:,}", open_strip(by_step[step][TITLES[2]])) for step in few(said, most)]
    return Strips(tuple(rows))


def few(steps: Sequence[int], most: int) -> list[int]:
    """Some of many steps, denser at the beginning, where most happens; first and last among them.

    >>> few(range(0, 801, 25), 6)
    [0, 25, 100, 200, 425, 800]
    """
    if len(steps) <= most:
        return list(steps)
    top, rungs = len(steps) - 1, max(1, most - 1)
    places = {0, *(max(at, round(top ** (at / rungs))) for at in range(1, rungs + 1))}
    return [steps[at] for at in sorted(places)]


def scores(run: Run, step: int | str | None = None) -> list[dict[str, Any]]:
    """k-NN and linear probe of a checkpoint; what was measured before is read, not repeated."""
    at = step
    if step is None:
        saved = run.checkpoints()
        at = saved[-1][0] if saved else None
    known = {
        row["protocol"].partition("@")[0]: row
        for row in run.evaluations()
        if row["step"] == at and row["data"] == run.record["data"]
    }
    if set(PROTOCOLS) <= set(known):
        return [known[name] for name in PROTOCOLS]
    return evaluate_all(run, PROTOCOLS, step=step)


def show_scores(run: Run, *steps: int | str | None) -> Listing:
    """What the features of a run tell of the classes, by step.

    Args:
        run: with checkpoints.
        steps: of checkpoints; "initial" for the weights before training, None for the newest, and
            "pixels" for no network at all: the bare pixels as features.
    """
    rows, count = list[tuple[str, ...]](), 0
    for step in steps or (INITIAL, None):
        if step == "pixels":
            bare = pixel_scores(run.record["data"], run.config.size)
            name, found = "bare pixels", [each.as_dict() for each in bare]
        else:
            found = scores(run, step)
            name = "random weights" if step == INITIAL else f"after step {found[0]['step']:,}"
        rows.append((name, *map(told, found)))
        count = found[0]["count"]
    tested = f"share right of {count} test pictures"
    return Listing((tested, *(WORDS[name] for name in PROTOCOLS)), tuple(rows))


def told(score: Mapping[str, Any]) -> str:
    """An accuracy with its 95% interval."""
    return f"{score['accuracy']:.1%} ({score['low']:.1%} to {score['high']:.1%})"


def pixel_scores(data: str, size: int) -> list[Score]:
    """The same protocols with bare pixels in place of features."""
    dataset = DATASETS.parse(data)
    train, test = (dataset.load(size, train=part) for part in (True, False))
    return [
        EVALUATIONS.parse(name).score(_flat(train), _flat(test), len(train.classes))
        for name in PROTOCOLS
    ]


def _flat(pictures: Pictures) -> Features:
    if pictures.labels is None:
        raise BadInput("these pictures have no classes to tell apart; take digits().")
    pixels = pictures.images.reshape(len(pictures), -1) / np.float32(255)
    return Features(pixels.astype(np.float32), pictures.labels)


def show_comparison(runs: Sequence[Run]) -> Listing:
    """Runs by what differs between them: mean over seeds, and half of its 95% interval."""
    for run in runs:
        scores(run)
    found = compare(runs)
    knobs = [name for name in found.differing if name != "seed"]
    names = ("loss", *PROTOCOLS)
    rows = [
        (
            *(str(group["knobs"][knob]) for knob in knobs),
            str(len(group["runs"])),
            *(_mean(name, group["metrics"].get(name)) for name in names),
        )
        for group in found.groups
    ]
    return Listing((*knobs, "runs", *(WORDS[name] for name in names)), tuple(rows))


def _mean(name: str, mean: Mean | None) -> str:
    if mean is None:
        return "–"
    if name == "loss":
        return f"{mean.mean:.3f}"
    half = "" if mean.half is None else f" ± {mean.half:.1%}"
    return f"{mean.mean:.1%}{half}"


def show_curves(runs: Sequence[Run], names: Sequence[str] = ()) -> Chart:
    """The loss of some runs over their steps."""
    found = compare(runs).curves
    words = names or [title(run) for run in runs]
    lines = {word: found[run.id] for word, run in zip(words, runs, strict=True)}
    return Chart(lines, "step", "loss")
