"""One thread for everything that is heavy.

Streamlit runs every rerun in a new thread, and numerical libraries keep a pool and a heap for each
thread that calls them: memory would grow with every picture. It also means that models run one call
at a time, first come, first served.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Worker:
    """A thread that takes work in turn; a daemon, so that a stopped server never waits for it."""

    def __init__(self) -> None:
        self._waiting: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do the work on the thread and wait for it; what it raises is raised here."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._take, name="heavy", daemon=True)
                self._thread.start()
        result: Future[T] = Future()
        self._waiting.put((result, lambda: work(*args, **kwargs)))
        return result.result()

    def _take(self) -> None:
        while True:
            result, work = self._waiting.get()
            try:
                result.set_result(work())
            except BaseException as error:
                result.set_exception(error)
            del result, work  # so that a waiting thread does not keep the last picture alive


run = Worker().run
