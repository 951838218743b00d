"""Every combination of some knobs as runs of one sweep: start, watch, stop, go on."""

from app.components.scripts import component

SECTION = "Training"


def draw() -> None:
    """The browser asks the server's `/api/sweeps` by itself; a rerun changes nothing."""
    component("sweeps")(key="sweeps", data={})


draw()
