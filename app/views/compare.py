"""Runs side by side: what differs, curves, pictures by step, means over seeds, a sweep's matrix."""

from app.components.scripts import component

SECTION = "Training"


def draw() -> None:
    """The browser asks the server's `/api/compare` by itself; the address holds what is shown."""
    component("comparing")(key="comparing", data={})


draw()
