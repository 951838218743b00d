"""How the command line reads values that many commands take."""

from typing import Any

import typer

from workbench.errors import shown


def whole(text: str) -> int:
    """Read a whole number; the refusal names the value seen."""
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"{shown(text)} is no whole number, write one such as 8") from None


def number_option(help: str) -> Any:
    """An option that takes a whole number."""
    return typer.Option(parser=whole, metavar="N", help=help)
