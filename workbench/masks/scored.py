"""How a strategy names the score map that it looks at, and what it may expect of it."""

import ast
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput, shown
from workbench.masks.strategy import Maps
from workbench.syntax import expression


def recipe_of(name: str, text: str) -> str:
    """Return the recipe of a score map as it is printed: `edges` becomes `edges()`.

    The scores themselves live above the masks, so only the form is checked here.

    Raises:
        BadInput: anything but name(knob=value, ...).
    """
    text = text.strip()
    try:
        tree = expression(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        tree = None
    if isinstance(tree, ast.Name):
        return f"{text}()"
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name):
        return text
    raise BadInput(
        f"{name}: scores is {shown(text)}, but must be the recipe of a score map; "
        'take for example scores="edges()".'
    )


def flat_map(name: str, recipe: str, maps: Maps) -> NDArray[np.float64]:
    """Return the map as float64 [count, cells].

    Raises:
        BadInput: it holds NaN or infinity, which have no rank.
    """
    scores: NDArray[Any] = maps[recipe]
    flat = scores.reshape(len(scores), -1).astype(np.float64)
    if not np.isfinite(flat).all():
        raise BadInput(
            f"{name}: the map {recipe} holds values that are no numbers, which cannot be ranked; "
            "replace them first."
        )
    return flat
