"""Many runs from one set-up: every combination of some knobs, queued under one name."""

import itertools
import re
import secrets
import shlex
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from workbench.errors import BadInput, shown
from workbench.runs.config import RunConfig
from workbench.runs.launching import configured
from workbench.runs.sweeps import Sweep, SweepStore

MOST = 10_000
PROTOCOL = "linear_probe"
SPAN = re.compile(r"\s*(-?[0-9]{1,18})\s*\.\.\s*(-?[0-9]{1,18})\s*")
MADE = ("name", "group")  # what a sweep gives its runs itself


def sweep(
    preset: str | RunConfig,
    over: Mapping[str, Sequence[Any]],
    *,
    dir: Path | str | None = None,
    overrides: Mapping[str, Any] | None = None,
    name: str = "",
    engine: str = "",
) -> Sweep:
    """Queue one run for every combination of the values of `over`.

    Everything is checked before anything is queued. Each run is measured at its end by a linear
    probe where its data has classes; `evaluate` among the knobs names other protocols, and "" none.

    Args:
        preset: what all of them share.
        over: knob -> values; `ratio`, or any `mask.KNOB` or `objective.KNOB`, goes into the recipe.
        dir: folder of runs.
        overrides: knobs that all of them share beside the preset's.
        name: of the sweep; made up where empty. `workbench sweeps show NAME` shows it.
        engine: who runs it, such as `slurm(partition="gpu")`; empty for this machine's queue.

    Returns:
        The sweep, a sequence of its runs that can be waited for, cancelled and gone on with.

    Raises:
        BadInput: a value that a run does not take, a mask that hides nothing, runs that are the
            same, more than 10,000 of them, data that are not there, or a name that is taken.
    """
    name = name or f"sweep-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"
    shared = dict(overrides or {})
    configs = planned(preset, over, shared, name)
    told = {
        "preset": preset if isinstance(preset, str) else preset.preset,
        "over": {key: list(values) for key, values in over.items()},
        "overrides": shared,
        "engine": engine,
        "warned": foreseen(configs),
    }
    return SweepStore(dir).create(name, told, configs)


def planned(
    preset: str | RunConfig,
    over: Mapping[str, Sequence[Any]],
    overrides: Mapping[str, Any],
    name: str,
) -> list[RunConfig]:
    """Return the configurations of a sweep; each names what it is measured by."""
    found = combinations(preset, over, overrides, name)
    if "evaluate" in {**overrides, **over}:
        return found
    return [replace(each, evaluate=usual_protocol(each)) for each in found]


def foreseen(configs: Sequence[RunConfig]) -> dict[str, int]:
    """Return a sentence for each mask that leaves nothing to see, and how many runs have it.

    Raises:
        BadInput: a mask hides nothing, or not what its objective must have.
    """
    from workbench.runs.setting import setting

    looked: dict[tuple[Any, ...], str] = {}
    found = Counter[str]()
    for config in configs:
        key = (config.objective, config.mask, config.size, config.patch)
        if key not in looked:
            try:
                looked[key] = setting(config).foreseen()
            except BadInput as problem:
                raise BadInput(f"{config.name}: {problem}") from None
        found.update([looked[key]] if looked[key] else [])
    return dict(found)


def read_over(texts: Sequence[str]) -> dict[str, list[str]]:
    """Read what goes over which values, see `values_of`.

    Raises:
        BadInput: none, one that cannot be read, or a knob twice.
    """
    found = dict(values_of(text) for text in texts)
    if len(found) < len(texts):
        raise BadInput("--over names a knob twice; give it once, with all its values.")
    if not found:
        raise BadInput("a sweep goes over no knob; name one and its values, as in seed=0..3.")
    return found


def usual_protocol(config: RunConfig) -> str:
    """Return what a run of a sweep is measured by unless it says so itself."""
    from workbench.data.sets import DATASETS

    return config.evaluate or (PROTOCOL if "labelled" in DATASETS.parse(config.data).gives else "")


def command(
    preset: str, over: Sequence[str], overrides: Sequence[str], name: str = "", engine: str = ""
) -> str:
    """Return the command line that starts a sweep; `over` and `overrides` as they are typed."""
    words = ["python", "-m", "workbench", "sweep", preset]
    for text in over:
        words += ["--over", text]
    words += [*overrides, *(["--name", name] if name else [])]
    return shlex.join([*words, *(["--engine", engine] if engine else [])])


def combinations(
    preset: str | RunConfig,
    over: Mapping[str, Sequence[Any]],
    overrides: Mapping[str, Any],
    group: str,
) -> list[RunConfig]:
    """Return the configurations of a sweep, the last knob changing fastest.

    Raises:
        BadInput: see `sweep`.
    """
    for key in MADE:
        if key in over or overrides.get(key):
            raise BadInput(
                f"{key} is {shown(over.get(key, overrides.get(key)))}, but a sweep names its runs "
                f"by their values and groups them by its own name; leave {key} out and name the "
                "sweep with --name."
            )
    count = 1
    for key, values in over.items():
        if key in overrides:
            raise BadInput(
                f"{key} is {shown(overrides[key])} for all runs, and the sweep goes over it; leave "
                "one of the two out."
            )
        if not values:
            raise BadInput(f"--over {key} has no values; write --over {key}=a,b,c.")
        count *= len(values)
    if count > MOST:
        raise BadInput(f"this sweep has {count:,} runs, at most {MOST:,} are queued at once.")
    found: list[RunConfig] = []
    labels: dict[tuple[Any, ...], str] = {}
    for values in itertools.product(*over.values()):
        told = dict(zip(over, values, strict=True))
        label = ", ".join(f"{key}={value}" for key, value in told.items())
        config = configured(preset, {**overrides, **told, "group": group, "name": label})
        same = tuple(value for key, value in config.record().items() if key != "name")
        if same in labels:
            raise BadInput(
                f"{shown(labels[same])} and {shown(label)} are the same run; give each value once."
            )
        labels[same] = label
        found.append(config)
    return found


def values_of(text: str) -> tuple[str, list[str]]:
    """Read `key=a,b,c` or `key=0..3` (both ends count); commas inside brackets do not part.

    >>> values_of("mask=random(ratio=0.5),mixing(a=1, b=2)")
    ('mask', ['random(ratio=0.5)', 'mixing(a=1, b=2)'])
    >>> values_of("seed=0..3")
    ('seed', ['0', '1', '2', '3'])

    Raises:
        BadInput: no equals sign, no value, or a range of more than 10,000.
    """
    key, sign, rest = text.partition("=")
    span = SPAN.fullmatch(rest)
    if key and span:
        first, last = int(span[1]), int(span[2])
        if last - first >= MOST:
            raise BadInput(
                f"--over {text} has {last - first + 1:,} values, at most {MOST:,} runs are queued "
                "at once; name a shorter range."
            )
        if first <= last:
            return key, [str(number) for number in range(first, last + 1)]
    parts, depth, quote = [""], 0, ""
    for character in rest:
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        depth += (character in "([{") - (character in ")]}") if not quote else 0
        if character == "," and depth == 0 and not quote:
            parts.append("")
        else:
            parts[-1] += character
    found = [part.strip() for part in parts]
    if not sign or not key or not all(found):
        raise BadInput(f"--over {shown(text)} is no key=value,value; write --over seed=0..3.")
    return key, found
