"""Sweeps: start every combination of some knobs at once, watch them, stop them, go on with them."""

from app.components.scripts import component

SECTION = "Training"


def draw() -> None:
    """The browser asks the server's `/api/sweeps` by itself; a rerun changes nothing."""
    component("sweeps")(key="sweeps", data={})


draw()
