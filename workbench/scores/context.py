"""What a score may look at beside the picture."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput, shown

if TYPE_CHECKING:
    from workbench.models.reconstruction import Reconstructor
    from workbench.models.transformer import ViT


def _none() -> dict[str, NDArray[Any]]:
    return {}


@dataclass(frozen=True)
class Context:
    """What there is beside the pictures.

    Attributes:
        model: a loaded model, or an encoder alone; None for the bundled one, loaded on first use.
        seed: decides every random choice of a score.
        labels: objects a pixel, whole numbers [b, h, w], 0 = background; None if unknown.
        depth: distance a pixel, [b, h, w], large = far; None if unknown.
        given: maps by the names that recipes use, [h, w] or [b, h, w] each.
        clip: the folder of a CLIP; None to look for one among the user's models.
    """

    model: "Reconstructor | ViT | None" = None
    seed: int = 0
    labels: NDArray[Any] | None = None
    depth: NDArray[Any] | None = None
    given: Mapping[str, NDArray[Any]] = field(default_factory=_none)
    clip: Path | None = None

    def only(self, at: int, images: int) -> "Context":
        """The context of one picture of a batch of `images`."""
        given = {
            name: values[at] if values.ndim == 3 and len(values) == images else values
            for name, values in self.given.items()
        }
        labels = None if self.labels is None else self.labels[at : at + 1]
        depth = None if self.depth is None else self.depth[at : at + 1]
        return replace(self, labels=labels, depth=depth, given=given)


def own_map(name: str, count: int, context: Context) -> NDArray[np.float32]:
    """A map that was given by name or kept under an id, [count, h, w].

    Raises:
        BadInput: no such map.
    """
    from workbench.data import score_maps

    if name in context.given:
        values = np.asarray(context.given[name])
        planes = values[None] if values.ndim == 2 else values
        found = [score_maps.checked(plane, f"the map {name}") for plane in planes]
    elif score_maps.ID.fullmatch(name):
        found = [score_maps.load(name)]
    else:
        known = ", ".join(context.given) or "none"
        raise BadInput(
            f"no map called {shown(name)} was given (given: {known}); pass --map {name}=FILE, or "
            "given={name: array} from Python."
        )
    if len(found) not in (1, count):
        raise BadInput(
            f"the map {name} holds {len(found)} planes for {count} pictures; give one a picture."
        )
    return np.broadcast_to(np.stack(found), (count, *found[0].shape))
