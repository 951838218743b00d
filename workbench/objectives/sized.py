"""Two sizes in which objectives are offered: ten CPU-minutes and one GPU-hour."""

from collections.abc import Mapping
from typing import Any

TINY: Mapping[str, Any] = {
    "data": "cifar10()", "size": 32, "patch": 4, "dim": 192, "depth": 6, "heads": 3,
    "batch": 128, "warmup": 200, "optimiser": "muon",
}  # fmt: skip
HOUR: Mapping[str, Any] = {
    **TINY, "depth": 12, "batch": 512, "warmup": 2000, "save_every": 1000,
}  # fmt: skip


def cifar10(
    name: str, tiny: int, hour: int, *, small: str = "", large: str = "", **knobs: Any
) -> dict[str, dict[str, Any]]:
    """Return the two presets of an objective on CIFAR-10, named `cifar10_{name}_tiny` and `_hour`.

    Args:
        name: of the objective.
        tiny: steps that take about ten minutes on two cores.
        hour: steps that take about an hour on one large GPU.
        small: recipe of the objective for the first; empty for its defaults.
        large: the same for the second.
        knobs: fields of a run that differ from the usual ones, in both.
    """
    recipes = {"tiny": (TINY, tiny, small), "hour": (HOUR, hour, large)}
    return {
        f"cifar10_{name}_{size}": {
            **base,
            "steps": steps,
            **({"objective": recipe} if recipe else {}),
            **knobs,
        }
        for size, (base, steps, recipe) in recipes.items()
    }


def other(
    name: str, tiny: int, hour: int, data: str, more: str, *, large: str = "", **knobs: Any
) -> dict[str, dict[str, Any]]:
    """Return the two presets of an objective on other data than pictures, `{name}_tiny`, `_hour`.

    Args:
        name: of data and objective.
        tiny: steps that take about ten minutes on two cores, reading the data included.
        hour: steps that take about an hour on one large GPU.
        data: recipe of the data for the first.
        more: recipe of the data for the second.
        large: recipe of the objective for the second; empty for its defaults.
        knobs: fields of a run that differ from the usual ones, in both.
    """
    found = {
        f"{name}_tiny": {**TINY, "steps": tiny, "batch": 64, "data": data, **knobs},
        f"{name}_hour": {**HOUR, "steps": hour, "batch": 256, "data": more, **knobs},
    }
    if large:
        found[f"{name}_hour"]["objective"] = large
    return found
