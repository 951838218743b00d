"""One thread for everything that is heavy.

Streamlit runs every rerun in a new thread, and numerical libraries keep a pool and a heap for each
thread that calls them: memory would grow with every picture. It also means that models run one call
at a time, first come, first served.
"""

import atexit
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

# A page asks twice for a picture, preview and scene: work that can wait lets both pass.
QUIET_SECONDS, PATIENCE_SECONDS = 0.04, 0.3
LEAVE_SECONDS = 10.0

P = ParamSpec("P")
T = TypeVar("T")


class Worker:
    """A thread that takes work in turn; a daemon, so that a stopped server waits a moment at most.

    That moment is needed: an interpreter that ends while a daemon computes in C++ is aborted.
    """

    def __init__(self) -> None:
        self._waiting: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._asked = 0.0

    def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do the work on the thread and wait for it; what it raises is raised here."""
        try:
            self._asked = time.monotonic()
            return self._done(lambda: work(*args, **kwargs))
        finally:
            self._asked = time.monotonic()

    def run_behind(self, work: Callable[[], T]) -> T:
        """The same for work that can wait: while pages ask, it steps back, but not for ever."""
        given_up = time.monotonic() + PATIENCE_SECONDS
        while (now := time.monotonic()) < min(self._asked + QUIET_SECONDS, given_up):
            time.sleep(min(self._asked + QUIET_SECONDS, given_up) - now)
        return self._done(work)

    def _done(self, work: Callable[[], T]) -> T:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._take, name="heavy", daemon=True)
                self._thread.start()
        result: Future[T] = Future()
        self._waiting.put((result, work))
        return result.result()

    def leave(self, seconds: float = LEAVE_SECONDS) -> None:
        """Let the work in progress be the last, and wait for it so long."""
        self._waiting.put(None)
        if self._thread is not None:
            self._thread.join(seconds)

    def _take(self) -> None:
        while (taken := self._waiting.get()) is not None:
            result, work = taken
            del taken
            try:
                result.set_result(work())
            except BaseException as error:
                result.set_exception(error)
            del result, work  # so that a waiting thread does not keep the last picture alive


_worker = Worker()
run, run_behind = _worker.run, _worker.run_behind
atexit.register(_worker.leave)
