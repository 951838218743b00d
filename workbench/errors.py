"""The one exception that users meet."""

import difflib
from collections.abc import Iterable


class BadInput(ValueError):
    """A value from outside is refused, in one sentence: value seen, value wanted, next step."""


def shown(value: object, limit: int = 60) -> str:
    """Return repr(value) on one line, cut to `limit` characters, to stand in a sentence."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # a hostile or broken __repr__ must not hide the real complaint
        text = f"<{type(value).__name__}>"
    return text if len(text) <= limit else text[: limit - 3] + "..."


def nearest(name: object, known: Iterable[str]) -> str:
    """Return "; block is the nearest" where a known name is near, else "", to end a list of names.

    >>> nearest("blok", ["random", "block"]), nearest("cat", ["random", "block"])
    ('; block is the nearest', '')
    """
    found = difflib.get_close_matches(str(name)[:100].lower(), list(known), n=1, cutoff=0.7)
    return f"; {found[0]} is the nearest" if found else ""
