"""The field: published systems, and the recipe here that hides what each of them hides."""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

COLUMNS = ("system", "title", "mask", "note")


@dataclass(frozen=True)
class System:
    """A published system: its short name, its paper's title, its mask's recipe and a remark."""

    system: str
    title: str
    mask: str
    note: str


@cache
def systems() -> tuple[System, ...]:
    """All systems whose mask can be tried here, sorted by name; `systems.tsv` is the source."""
    text = (files("workbench.atlas") / "systems.tsv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    return tuple(System(**{name: row[name] for name in COLUMNS}) for row in rows)


def find(words: str) -> list[System]:
    """The systems whose name, title, recipe or remark holds all words, in any order and case.

    >>> [row.system for row in find("hard patches")]
    ['HPM']
    """
    wanted = words.casefold().split()
    return [row for row in systems() if all(word in _text(row) for word in wanted)]


def _text(row: System) -> str:
    return " ".join((row.system, row.title, row.mask, row.note)).casefold()
