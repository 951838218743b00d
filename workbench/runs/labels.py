"""What sets runs apart, in few words: knobs of their configurations and of the recipes in them."""

import ast
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from workbench.runs.config import difference
from workbench.syntax import expression

SEEDS = ("seed",)
TOLD = ("name", "group", "preset", "schema")  # names, not settings
RECIPES = ("mask", "objective", "data")
RATIO = "ratio"
Record = Mapping[str, Any]


def varied(records: Sequence[Record]) -> list[str]:
    """Return the knobs in which some records differ from the first, in their order."""
    names: dict[str, None] = {}
    for record in records[1:]:
        names.update(dict.fromkeys(difference(records[0], record)))
    return [name for name in (records[0] if records else ()) if name in names]


def axis_names(records: Sequence[Record]) -> list[str]:
    """Return what a table of these runs can be spread over: every knob of which there are several.

    `mask` is the strategy with all of its knobs but the ratio, `ratio` the ratio of the mask; every
    other knob is by its own name.
    """
    found: list[str] = []
    for name in varied(records):
        parts = ("mask", RATIO) if name == "mask" else (name,)
        found += [part for part in parts if len({value_of(each, part) for each in records}) > 1]
    return [name for name in found if name not in TOLD]


def value_of(record: Record, name: str) -> str:
    """Return a knob of a configuration as text, see `axis_names`; "" where it has none.

    >>> record = {"mask": "block(ratio=0.5, min_patches=2)", "seed": 3}
    >>> [value_of(record, name) for name in ("mask", "ratio", "seed")]
    ['block(min_patches=2)', '0.5', '3']
    """
    if name not in (*RECIPES, RATIO):
        value = record.get(name)
        return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
    text = str(record.get("mask" if name == RATIO else name) or "")
    member, knobs = _parts(text)
    if name == RATIO:
        return knobs.get(RATIO, "")
    told = ", ".join(f"{k}={v}" for k, v in knobs.items() if name != "mask" or k != RATIO)
    return f"{member}({told})" if told else member


@lru_cache(maxsize=4096)
def _parts(recipe: str) -> tuple[str, dict[str, str]]:
    """A recipe's member and knobs as text; read as a tree, nothing of it is run."""
    try:
        tree = expression(recipe)
    except (SyntaxError, ValueError, RecursionError):
        return recipe, {}
    if not isinstance(tree, ast.Call):
        return recipe, {}
    return ast.unparse(tree.func), {
        each.arg: ast.unparse(each.value) for each in tree.keywords if each.arg
    }


def labelled(records: Mapping[str, Record], without: Sequence[str] = ()) -> dict[str, str]:
    """Return for each run what it has and others have not, by id: `block 0.5 seed 1`.

    Runs that differ in nothing are told apart by their names, or by the ends of their ids.

    Args:
        records: configurations by id.
        without: knobs that are not told.
    """
    names = [name for name in axis_names(list(records.values())) if name not in without]
    labels = {
        id: " ".join(_word(name, value_of(record, name), names) for name in names)
        or str(record.get("name") or record.get("preset") or "run")
        for id, record in records.items()
    }
    if without or len(set(labels.values())) == len(labels):
        return labels
    return {id: f"{label} …{id[-5:]}" for id, label in labels.items()}


def _word(name: str, value: str, names: Sequence[str]) -> str:
    alone = name == RATIO and "mask" not in names
    return value if name in (*RECIPES, RATIO) and value and not alone else f"{name} {value or '–'}"
