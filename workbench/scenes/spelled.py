"""What a spec says in Python."""

import dataclasses
from typing import Any


def spelled(spec: Any) -> str:
    """A dataclass as the call that makes it, fields at their defaults left out."""
    fields = ", ".join(
        f"{each.name}={getattr(spec, each.name)!r}"
        for each in dataclasses.fields(spec)
        if getattr(spec, each.name) != each.default
    )
    return f"{type(spec).__name__}({fields})"
