"""Put interventions into a network, several at once, and take them out again."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from workbench.errors import BadInput, shown
from workbench.interventions.intervention import Intervention, installed
from workbench.masks import Mask
from workbench.models.network import Images, Network
from workbench.registry import Registry

INTERVENTIONS: Registry[Intervention] = Registry(
    "workbench.interventions", Intervention, "workbench.interventions"
)
Recipes = str | Intervention | Sequence[str | Intervention]


def recipes_of(text: Recipes) -> list[Intervention]:
    """Interventions in the order they are written: `heads_off(layer=3, heads=[0, 5]) ; ...`.

    Raises:
        BadInput: not a recipe, an unknown name or knob, or a value out of range.
    """
    if isinstance(text, Intervention):
        return [text]
    if isinstance(text, str):
        return [INTERVENTIONS.parse(part) for part in split_recipes(text)]
    return [each for part in text for each in recipes_of(part)]


@contextmanager
def intervene(
    model: Any,
    recipes: Recipes,
    *,
    mask: Mask | None = None,
    source: Images | None = None,
) -> Generator[Network]:
    """Run a network with something hidden inside it.

    ```
    with intervene(model, "heads_off(layer=3, heads=[0, 5]) ; skip_blocks(keep=6)") as network:
        tokens = network.features(images)
    ```
    Interventions act in the order in which they are written. When the block ends, also by an
    exception, the network is as it was. Other threads that open the same network wait.

    Args:
        model: whatever `network_of` understands; changed in place for the time of the block.
        recipes: text with `;` between recipes, one intervention, or a list of either.
        mask: what `mask="given"` means, on the network's grid, one or as many as pictures.
        source: pictures [b, 3, h, w] in [0, 1] that activations are taken from.

    Yields:
        The description of the network, ready to be run.

    Raises:
        BadInput: a recipe that is none, or that does not go with this network.
    """
    with installed(model, recipes_of(recipes), mask=mask, source=source) as network:
        yield network


def split_recipes(text: str) -> list[str]:
    """Cut at every `;` that stands outside of quotes."""
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise BadInput(f"{shown(text)} is no recipe; write for example heads_off(layer=3).")
    parts, quote, start, escaped = [], "", 0, False
    for at, letter in enumerate(text):
        if escaped:
            escaped = False
        elif letter == "\\" and quote:
            escaped = True
        elif quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter == ";":
            parts.append(text[start:at])
            start = at + 1
    parts.append(text[start:])
    return [part.strip() for part in parts if part.strip()]
