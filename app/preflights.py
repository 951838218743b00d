"""Measurements of runs before they start: each in a process of its own, one at a time."""

import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from app.sentences import whole
from app.state import unexpected
from workbench.errors import BadInput
from workbench.runs.config import RunConfig
from workbench.runs.rehearsing import preflight

KEPT = 16


@dataclass(eq=False)
class Preflight:
    """One measurement: waiting, running, done, failed or cancelled."""

    config: RunConfig
    state: str = "waiting"
    found: dict[str, Any] | None = None
    problem: str = ""
    began: float = field(default_factory=time.monotonic)
    leave: threading.Event = field(default_factory=threading.Event)


class Preflights:
    """Those of all pages, by a secret that only the page which asked knows."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Preflight] = OrderedDict()
        self._turn = threading.Lock()  # two at once would measure each other

    def start(self, config: RunConfig) -> str:
        """Begin one and return its secret."""
        mark, new = secrets.token_urlsafe(18), Preflight(config)
        self._known[mark] = new
        while len(self._known) > KEPT:
            self._known.popitem(last=False)[1].leave.set()
        threading.Thread(target=self._run, args=(new,), name="preflight", daemon=True).start()
        return mark

    def stop(self, mark: str) -> None:
        """Let one end at once, also while it waits; nothing happens to one unknown or over."""
        known = self._known.get(mark)
        if known is not None:
            known.leave.set()
            if known.state == "waiting":
                known.state = "cancelled"

    def report(self, mark: str) -> dict[str, Any] | None:
        """How one stands: `state`, `seconds`, and `found` (see `preflight`) or `problem`."""
        known = self._known.get(mark)
        if known is None:
            return None
        seconds = round(time.monotonic() - known.began, 1)
        return {
            "state": known.state, "found": known.found, "problem": known.problem,
            "seconds": seconds,
        }  # fmt: skip

    def _run(self, one: Preflight) -> None:
        with self._turn:
            if one.leave.is_set():
                one.state = "cancelled"
                return
            one.state = "running"
            try:
                one.found = preflight(one.config, should_stop=one.leave.is_set)
                one.state = "done"
            except InterruptedError:
                one.state = "cancelled"
            except BadInput as problem:
                one.problem, one.state = whole(str(problem)), "failed"
            except Exception as problem:
                one.problem, one.state = unexpected(problem), "failed"


preflights = Preflights()
