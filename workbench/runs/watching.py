"""What a trainer notices about itself: numbers that are none, spikes, stalls, and its heartbeat."""

import math
import statistics
import threading
import time
from collections import deque
from collections.abc import Callable

SPIKE_FACTOR, SPIKE_WINDOW, SPIKE_LEAST = 3.0, 100, 20
BEAT = 5.0


class Spikes:
    """A loss that jumps above 3 times the median of the last 100 steps (20 at least)."""

    def __init__(self) -> None:
        self.seen: deque[float] = deque(maxlen=SPIKE_WINDOW)
        self.quiet = 0

    def look(self, loss: float) -> float | None:
        """Return the median if `loss` is a spike; not again within the next 100 steps."""
        self.quiet -= 1
        usual = statistics.median(self.seen) if len(self.seen) >= SPIKE_LEAST else math.inf
        self.seen.append(loss)
        if loss > SPIKE_FACTOR * usual > 0 and self.quiet < 0:
            self.quiet = SPIKE_WINDOW
            return usual
        return None


class Watchdog:
    """A thread that beats while the process lives, and tells when no step comes for a while.

    Args:
        limit: seconds without a step until `stalled` is called with them, once a stall.
        stalled: called from the thread.
        beat: called from the thread every few seconds.
        clock: a clock that does not jump when the machine's time is set.
    """

    def __init__(
        self,
        limit: float,
        stalled: Callable[[float], None],
        beat: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limit, self.stalled, self.beat, self.clock = limit, stalled, beat, clock
        self.last, self.told = clock(), False
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def step(self) -> None:
        """A step was made."""
        self.last, self.told = self.clock(), False

    def look(self) -> None:
        """Tell of a stall if there is one."""
        waited = self.clock() - self.last
        if waited > self.limit and not self.told:
            self.told = True
            self.stalled(waited)

    def _watch(self) -> None:
        while not self.ended.wait(min(BEAT, self.limit / 2)):
            self.beat()
            self.look()

    def __enter__(self) -> "Watchdog":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.thread.join()
