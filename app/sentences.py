"""How a message of the engine is shown to a person."""


def whole(text: str) -> str:
    """The message with a capital letter and a full stop."""
    ended = text if text.endswith((".", "!", "?")) else f"{text}."
    return ended[:1].upper() + ended[1:]
