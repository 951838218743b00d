"""Every run: how it goes, what it makes, what it has learnt; stop, resume, evaluate, compare."""

from app.components.scripts import component

SECTION = "Training"


def draw() -> None:
    """The browser asks the server's `/api/runs` by itself; a rerun of this page changes nothing.

    A run is "stopping" where it goes on and a file `stop` lies in its folder.
    """
    component("runs")(key="runs", data={})


draw()
