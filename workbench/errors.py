"""The one exception that users meet."""


class BadInput(ValueError):
    """A value from outside is refused, in one sentence: value seen, value wanted, next step."""


def shown(value: object, limit: int = 60) -> str:
    """Return repr(value) on one line, cut to `limit` characters, to stand in a sentence."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # a hostile or broken __repr__ must not hide the real complaint
        text = f"<{type(value).__name__}>"
    return text if len(text) <= limit else text[: limit - 3] + "..."
