"""Python text as a tree, whatever other threads read at the same time."""

import ast
import threading
from collections.abc import Callable
from typing import TypeVar

TRIES = 5
T = TypeVar("T")
_lock = threading.Lock()


def module(text: str) -> ast.Module:
    """A module's text as a tree; see `expression`."""
    return _read(lambda: ast.parse(text))


def expression(text: str) -> ast.expr:
    """One expression as a tree; nothing of it is run.

    CPython up to 3.12 counts the depth of all trees being built in one place, so that two threads
    which read at once may be told "AST constructor recursion depth mismatch" (python/cpython,
    issue 106905). Here it is one at a time, and again where others read beside us.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: as `ast.parse` does.
    """
    return _read(lambda: ast.parse(text, mode="eval").body)


def _read(parse: Callable[[], T]) -> T:
    for _ in range(TRIES - 1):
        try:
            with _lock:
                return parse()
        except SystemError:
            continue
    with _lock:
        return parse()
