"""What sets runs apart, in few words: knobs of their configurations and of the recipes in them."""

import ast
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from workbench.runs.config import difference
from workbench.syntax import expression

SEEDS = ("seed",)
TOLD = ("name", "group", "preset", "schema")  # names, not settings
RECIPES = ("mask", "objective", "data")
RATIO = "ratio"
MOST_KNOBS = 3  # a label of more is not read
MOST_LETTERS = 60  # of a value in a label
PATH = re.compile(r"(?<![\w.…])/[^\s'\",;()]+")
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


def shortened(texts: Sequence[str]) -> list[str]:
    """Return texts with the folders that all absolute paths in them share written as "…".

    >>> shortened(["kept(path='/a/b/x.npz')", "kept(path='/a/b/y.npz')"])
    ["kept(path='…/x.npz')", "kept(path='…/y.npz')"]
    """
    folders = [path.rpartition("/")[0] for text in texts for path in PATH.findall(text)]
    common = os.path.commonpath(folders) if folders else ""
    return [text.replace(f"{common}/", "…/") for text in texts] if len(common) > 1 else list(texts)


def labelled(records: Mapping[str, Record], without: Sequence[str] = ()) -> dict[str, str]:
    """Return for each run what it has and others have not, by id: `block 0.5 seed 1`.

    Where more than three knobs differ, a run is called by its name where no other has it, or by its
    preset or objective and what sets it apart from others of that. Runs that differ in nothing are
    told apart by their names, or by the ends of their ids.

    Args:
        records: configurations by id.
        without: knobs that are not told.
    """
    names = [name for name in axis_names(list(records.values())) if name not in without]
    if len(names) > MOST_KNOBS:
        labels = _called(records, without)
    else:
        labels = _told(records, names)
    if without:
        return labels
    count = Counter(labels.values())
    return {
        id: f"{label} …{id[-5:]}" if count[label] > 1 else label for id, label in labels.items()
    }


def _told(records: Mapping[str, Record], names: Sequence[str]) -> dict[str, str]:
    """What runs have of some knobs, or else what they are called."""
    values = {
        name: dict(zip(records, shortened([value_of(each, name) for each in records.values()]),
                       strict=True))
        for name in names
    }  # fmt: skip
    return {
        id: " ".join(_word(name, values[name][id], names) for name in names)
        or str(record.get("name") or record.get("preset") or "run")
        for id, record in records.items()
    }


def _called(records: Mapping[str, Record], without: Sequence[str]) -> dict[str, str]:
    """The runs' names where they have their own; otherwise what they are of, and some knobs."""
    given = Counter(str(record.get("name") or "") for record in records.values())
    own = {
        id: str(record["name"]) for id, record in records.items()
        if not without and record.get("name") and given[str(record["name"])] == 1
    }  # fmt: skip
    alike: dict[str, dict[str, Record]] = {}
    for id, record in records.items():
        if id in own:
            continue
        base = str(record.get("preset") or value_of(record, "objective") or "run")
        alike.setdefault(base, {})[id] = record
    found: dict[str, str] = {}
    for base, each in alike.items():
        differing = [name for name in axis_names(list(each.values())) if name not in without]
        told = _told(each, differing[:MOST_KNOBS]) if differing else {}
        found |= {id: f"{base} {told[id]}" if told else base for id in each}
    return {id: own.get(id) or found[id] for id in records}


def _word(name: str, value: str, names: Sequence[str]) -> str:
    alone = name == RATIO and "mask" not in names
    if len(value) > MOST_LETTERS:
        value = f"{value[: MOST_LETTERS - 1]}…"
    return value if name in (*RECIPES, RATIO) and value and not alone else f"{name} {value or '–'}"
