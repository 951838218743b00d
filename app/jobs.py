"""Long work in small steps: a page's search never keeps another page's picture waiting.

A job is a generator. One thread takes the running jobs in turn and has `app.worker` do one step of
one of them at a time, so that at most one step ever stands before a picture that a page asks for.
A job ends when its generator does, when it is cancelled (between two steps), when it fails, or when
its page is gone.
"""

import itertools
import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from app import worker
from app.sentences import whole
from workbench.errors import BadInput

JobState = Literal["waiting", "running", "done", "cancelled", "failed"]
RUNNING, KEPT = 2, 32
GONE_SECONDS = 4.0  # a page that reconnects within this time has not gone
LOOK_SECONDS = 1.0
log = logging.getLogger("workbench.app")


@dataclass(frozen=True)
class Step:
    """What a step brought.

    `done` of `total` pieces of work are behind; `event` is kept and told to the page once, `now`
    replaces the last one: both plain data for JSON, or None.
    """

    done: int
    total: int
    event: dict[str, Any] | None = None
    now: dict[str, Any] | None = None


@dataclass(eq=False)
class Job:
    """One piece of long work of one page; `mark` is a secret that only this page knows."""

    steps: Iterator[Step]
    alive: Callable[[], bool] = lambda: True
    mark: str = field(default_factory=lambda: secrets.token_urlsafe(18))
    state: JobState = "waiting"
    done: int = 0
    total: int = 0
    began: float | None = None
    ended: float | None = None
    problem: str = ""
    events: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    now: dict[str, Any] | None = None
    leave: bool = False
    seen: float = field(default_factory=time.monotonic)
    looked: float = 0.0

    @property
    def over(self) -> bool:
        """Whether nothing of it goes on."""
        return self.state in {"done", "cancelled", "failed"}

    @property
    def seconds(self) -> float:
        """Since it began to run, the turns of others included."""
        end = time.monotonic() if self.ended is None else self.ended
        return 0.0 if self.began is None else end - self.began

    def cancel(self) -> None:
        """Let the step in progress be the last one."""
        self.leave = True

    def report(self, since: int = 0, place: int = 0) -> dict[str, Any]:
        """What a page shows: state, numbers, and the events from `since` on."""
        seconds = self.seconds
        rate = self.done / seconds if seconds > 0 else 0.0
        left = max(self.total - self.done, 0)
        return {
            "state": self.state,
            "place": place,
            "done": self.done,
            "total": self.total,
            "seconds": round(seconds, 2),
            "rate": round(rate, 1),
            "remaining": round(left / rate, 1) if rate > 0 and not self.over else 0.0,
            "problem": self.problem,
            "events": self.events[since:],
            "next": len(self.events),
            "now": self.now,
        }

    def step(self) -> None:
        """Do one step, on the thread for heavy work; the end of the generator ends the job."""
        if self.began is None:
            self.began, self.state = time.monotonic(), "running"
        try:
            made = next(self.steps, None)
        except BadInput as error:
            self._end("failed", whole(str(error)))
        except Exception as error:
            self.fail(error)
        else:
            if made is None:
                self._end("done")
            else:
                self._take(made)

    def close(self) -> None:
        """End the generator, so that nothing of it stays behind."""
        if isinstance(self.steps, Generator):
            self.steps.close()
        self._end("cancelled")

    def fail(self, error: Exception) -> None:
        """End with a log id; the page never shows what failed."""
        mark = secrets.token_hex(4)
        log.error("Job failed, log id %s", mark, exc_info=error)
        self._end("failed", f"Something failed here; the log has it as {mark}.")

    def _take(self, made: Step) -> None:
        self.done, self.total = made.done, made.total
        if made.event is not None:
            self.events.append(made.event)
        if made.now is not None:
            self.now = made.now

    def _end(self, state: JobState, problem: str = "") -> None:
        self.ended, self.problem, self.state = time.monotonic(), problem, state

    def gone(self, at: float) -> bool:
        """Whether its page has not been there for a while."""
        if at - self.looked < LOOK_SECONDS:
            return False
        self.looked = at
        if self.alive():
            self.seen = at
        return at - self.seen > GONE_SECONDS


class Jobs:
    """The jobs of all pages: `most` run in turn, the others wait in the order they came."""

    def __init__(self, run: Callable[..., Any] = worker.run_behind, most: int = RUNNING) -> None:
        self._run, self._most = run, most
        self._known: dict[str, Job] = {}
        self._queue: deque[Job] = deque()
        self._news = threading.Condition()
        self._thread: threading.Thread | None = None

    def start(self, steps: Iterator[Step], alive: Callable[[], bool] = lambda: True) -> Job:
        """Take a job in; `alive` tells whether its page is still there."""
        job = Job(steps, alive)
        with self._news:
            for old in [key for key, each in self._known.items() if each.over][:-KEPT]:
                del self._known[old]
            self._known[job.mark] = job
            self._queue.append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._drive, name="jobs", daemon=True)
                self._thread.start()
            self._news.notify_all()
        return job

    def get(self, mark: str) -> Job | None:
        """The job of this secret, if it is still known."""
        return self._known.get(mark)

    def report(self, job: Job, since: int = 0) -> dict[str, Any]:
        """What the job's page shows; `place` is its place in the queue, from 1, while it waits."""
        with self._news:
            before = self._queue.index(job) if job in self._queue else 0
        place = max(before - self._most + 1, 0)
        return job.report(since, place)

    def counts(self) -> dict[str, int]:
        """How many run and how many wait."""
        with self._news:
            states = [job.state for job in self._queue]
        return {state: states.count(state) for state in ("running", "waiting")}

    def _drive(self) -> None:
        for turn in itertools.count():
            with self._news:
                self._news.wait_for(lambda: bool(self._queue))
                queue = list(self._queue)
            for job in queue[self._most :]:
                self._look_after(job, its_turn=False)
            self._look_after(queue[turn % min(len(queue), self._most)], its_turn=True)
            with self._news:
                for job in [each for each in self._queue if each.over]:
                    self._queue.remove(job)

    def _look_after(self, job: Job, its_turn: bool) -> None:
        """Close it, or do a step; whatever happens, the jobs of others go on."""
        try:
            if job.leave or job.gone(time.monotonic()):
                self._run(job.close)
            elif its_turn:
                self._run(job.step)
        except Exception as error:
            job.fail(error)


def page_is_there() -> Callable[[], bool]:
    """A function that tells whether the page that is being drawn now is still connected."""
    from streamlit import runtime
    from streamlit.runtime.scriptrunner import get_script_run_ctx

    context = get_script_run_ctx()

    def there() -> bool:
        if context is None or not runtime.exists():  # a page under test, which nobody looks at
            return True
        return runtime.get_instance().is_active_session(context.session_id)

    return there


jobs = Jobs()
