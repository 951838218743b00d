"""How a run is written down to be started again: as a preset with what differs, for every door."""

import shlex
from collections.abc import Mapping
from typing import Any

from workbench.runs.config import RunConfig, difference

FALLBACK = "digits_mae_tiny"


def spelled(config: RunConfig) -> tuple[str, dict[str, Any]]:
    """Return the preset that a canonical configuration came from, and the knobs that differ."""
    from workbench.runs.presets import run_presets
    from workbench.runs.setting import canonical

    known = run_presets()
    start = config.preset if config.preset in known else FALLBACK
    changed = difference(canonical(known[start]).record(), config.record())
    return start, {name: now for name, (_, now) in changed.items() if name != "preset"}


def command(preset: str, changed: Mapping[str, Any], engine: str = "") -> str:
    """Return the command line that starts it; `engine` is who runs it, "" for this machine.

    >>> command("digits_mae_tiny", {"steps": 20, "name": "a b"})
    "python -m workbench train digits_mae_tiny steps=20 'name=a b'"
    """
    words = [f"{name}={value}" for name, value in changed.items()]
    words += ["--engine", engine] if engine else []
    return shlex.join(["python", "-m", "workbench", "train", preset, *words])


def query(preset: str, changed: Mapping[str, Any], engine: str = "") -> dict[str, str]:
    """Return the fields of the form's address that start it.

    >>> query("digits_mae_tiny", {"steps": 20})
    {'preset': 'digits_mae_tiny', 'steps': '20'}
    """
    fields = {"preset": preset, **{name: str(value) for name, value in changed.items()}}
    return {**fields, "engine": engine} if engine else fields


def python(preset: str, changed: Mapping[str, Any], engine: str = "") -> str:
    """Return the lines of Python that start it."""
    changed = {**changed, "engine": engine} if engine else changed
    told = "".join(f"    {name}={value!r},\n" for name, value in changed.items())
    call = f"runs.launch(\n    {preset!r},\n{told})" if told else f"runs.launch({preset!r})"
    return f"from workbench import runs\n\nrun = {call}\nrun.wait()\n"
