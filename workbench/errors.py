"""The one exception that users meet."""


class BadInput(ValueError):
    """A value from outside is refused, in one sentence: value seen, value wanted, next step."""


def shown(value: object, limit: int = 60) -> str:
    """Return repr(value) cut to `limit` characters, safe to place in a sentence."""
    try:
        text = repr(value)
    except Exception:  # a hostile or broken __repr__ must not hide the real complaint
        text = f"<{type(value).__name__}>"
    return text if len(text) <= limit else text[: limit - 3] + "..."
