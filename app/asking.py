"""Engines are asked what became of their runs while somebody looks, beside the request itself."""

import logging
import threading
import time
from collections.abc import Callable, Iterable

from workbench.runs.handing import ask_after
from workbench.runs.store import Run, RunStore

ASK_EVERY = 10.0
log = logging.getLogger("workbench.app")


class Asker:
    """Asks now and then; a page is never kept waiting, its next look shows the answer."""

    def __init__(
        self,
        ask: Callable[[Iterable[Run]], None] = ask_after,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.ask, self.clock = ask, clock
        self._last: dict[str, float] = {}
        self._turn = threading.Lock()

    def look(self, store: RunStore) -> threading.Thread | None:
        """Ask about a folder's runs, unless that was done a moment ago or is under way."""
        folder, now = str(store.folder), self.clock()
        if now - self._last.get(folder, -ASK_EVERY) < ASK_EVERY or not self._turn.acquire(False):
            return None
        self._last[folder] = now
        asking = threading.Thread(target=self._asked, args=(store,), name="engines", daemon=True)
        asking.start()
        return asking

    def _asked(self, store: RunStore) -> None:
        try:
            self.ask(store)
        except Exception:
            log.exception("An engine could not be asked about its runs.")
        finally:
            self._turn.release()


asker = Asker()
