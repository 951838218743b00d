"""`atlas`: from a published system to the recipe that hides what it hides."""

from dataclasses import asdict
from typing import Annotated

import typer

from workbench.atlas import find, systems
from workbench.commands.output import AsJson, say, table
from workbench.errors import BadInput, shown


def atlas(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[WORD]...",
            help="Words of the system, its title or its mask; all without them.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find published systems and the recipes of their masks."""
    wanted = " ".join(words or [])
    rows = find(wanted)
    if not rows:
        raise BadInput(
            f"{shown(wanted)} is in none of {len(systems())} systems; try one word, or none to see "
            "all."
        )
    lines = table(("system", "mask", "note"), [(row.system, row.mask, row.note) for row in rows])
    say({"systems": [asdict(row) for row in rows]}, lines, as_json)
