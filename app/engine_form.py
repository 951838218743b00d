"""Where a new run or sweep goes, as plain data: this machine's queue, or an engine that is here."""

from collections.abc import Callable, Mapping
from typing import Any

from app.knob_rows import declared_rows, plain, tuned, whole_number
from app.sentences import whole
from workbench.errors import BadInput
from workbench.runs.engines import ENGINES

HERE = "here"


def offered() -> dict[str, str]:
    """Engines whose packages are installed, with why one cannot be used from this machine."""
    known = {name: ENGINES.get(name) for name in ENGINES.names()}
    return {name: each.absent() for name, each in known.items() if each.installed()}


def engine_menu(engine: str) -> dict[str, Any] | None:
    """This machine and the engines; None where there is nothing to choose."""
    found = offered()
    if not found:
        return None
    summaries = {row["name"]: row["summary"] for row in ENGINES.describe()}
    options = [[HERE, "This machine – its queue, one run after the other", ""]]
    options += [[name, f"{plain(name)} – {summaries[name]}", why] for name, why in found.items()]
    name = engine.partition("(")[0]
    return {
        "name": "engine", "label": "Where it runs", "value": name or HERE,
        "groups": [["", options]], "about": summaries.get(name, ""),
    }  # fmt: skip


def linked(text: str) -> tuple[str, str]:
    """The engine of a link as its canonical recipe, and what is wrong with it."""
    try:
        return (str(ENGINES.parse(text)) if text else ""), ""
    except BadInput as error:
        return "", whole(str(error))


def chosen(value: str) -> str:
    """The recipe of a choice in the menu."""
    return "" if value == HERE else str(ENGINES.get(value)())


def engine_rows(engine: str, problems: Mapping[str, str]) -> list[dict[str, Any]]:
    """Rows for the knobs of the engine."""
    return declared_rows(ENGINES.parse(engine), "engine", problems) if engine else []


def edited(engine: str, values: Mapping[str, Any], complain: Callable[[str, str], None]) -> str:
    """The recipe after an edit of its knobs; refusals are told and keep the old."""
    clean = {name: whole_number(value) for name, value in values.items()}
    return tuned(ENGINES, ENGINES.parse(engine), clean, complain) or engine
