"""Load the default model in the background, once the first page has been served."""

import gc
import logging
import threading
from typing import Literal

from app import worker

State = Literal["waiting", "loading", "ready", "failed"]
LONELY_SECONDS = 10.0
log = logging.getLogger("workbench.app")


class Warmer:
    """A thread that waits for the first page and then loads the model that pages start with.

    Importing torch takes seconds of the interpreter's time, so it must not compete with the page;
    where no page is asked for within `LONELY_SECONDS`, the model loads anyway.
    """

    def __init__(self) -> None:
        self.state: State = "waiting"
        self.page_served = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread; it dies with the process."""
        self._thread = threading.Thread(target=self._run, name="warm-model", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self.page_served.wait(LONELY_SECONDS)
        self.load()

    @property
    def busy(self) -> bool:
        """Whether a page should wait for the thread rather than load the model itself."""
        alive = self._thread is not None and self._thread.is_alive()
        return alive and self.state in {"waiting", "loading"}

    def load(self) -> None:
        """Load the model here and now; a failure is logged and shown by the page that needs it."""
        if self.state in {"loading", "ready"}:
            return
        self.state = "loading"
        try:
            from workbench import scenes

            worker.run(scenes.warm)
        except Exception:
            log.exception("The default model could not be loaded ahead of time.")
            self.state = "failed"
            return
        gc.collect()
        gc.freeze()  # a model's million objects need not be walked by every later collection
        self.state = "ready"


warmer = Warmer()
