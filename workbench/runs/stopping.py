"""How a signal becomes an answer to "shall I stop?"."""

import contextlib
import os
import signal
from collections.abc import Callable, Generator
from types import FrameType


@contextlib.contextmanager
def stopping() -> Generator[Callable[[], bool]]:
    """Turn the first SIGTERM or SIGINT into "stop after this step"; the second ends at once."""
    asked = False

    def ask(number: int, _: FrameType | None) -> None:
        nonlocal asked
        if asked:
            os._exit(128 + number)
        asked = True

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
