"""`doctor`: what is there, what is missing and how to get it."""

import typer

from workbench.commands.output import AsJson, say


def doctor(as_json: AsJson = False) -> None:
    """Tell what is there and what is missing.

    Versions, devices, memory, disk, checkpoints and browser; exit status 0 when usable.
    """
    from workbench.doctor import examine

    found = examine()
    say(found.as_dict(), found.lines(), as_json)
    if not found.usable:
        raise typer.Exit(1)
