"""The model that a score looks through: the loaded one, or the bundled one."""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput
from workbench.masks import Grid
from workbench.scores.areas import nearest, patch_means
from workbench.scores.context import Context

if TYPE_CHECKING:
    from workbench.models.reconstruction import Reconstructor
    from workbench.models.taps import Tap

Images = NDArray[np.float32]


@lru_cache(maxsize=1)
def _bundled() -> "Reconstructor":
    from workbench.models import load_reconstructor

    return load_reconstructor("default", device="cpu")


def tap_of(context: Context) -> "Tap":
    """The context's model opened for looking inside."""
    from workbench.models.taps import tap

    return tap(context.model if context.model is not None else _bundled())


def reconstructor_of(context: Context, name: str) -> "Reconstructor":
    """The context's model, which must be one that reconstructs.

    Raises:
        BadInput: it is an encoder alone.
    """
    from workbench.models.reconstruction import Reconstructor

    model = context.model if context.model is not None else _bundled()
    if not isinstance(model, Reconstructor):
        raise BadInput(
            f"{name} needs a model that reconstructs, but an encoder alone was given; "
            "take one with a decoder, such as default."
        )
    return model


def features(images: Images, context: Context) -> tuple[NDArray[np.float64], Grid]:
    """Patch tokens of the encoder's last layer, float64 [b, n, dim], each of length 1.

    Returns:
        The tokens and the model's grid; pictures are brought to the model's size first.
    """
    from workbench.models.taps import quietly

    tap = tap_of(context)
    with quietly(tap.work(len(images))):
        seen = tap.see(tap.patches(images))
        tokens = seen.tokens[:, tap.prefix :].double().cpu().numpy()
    centred = tokens - tokens.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=2, keepdims=True)
    return centred / np.maximum(length, 1e-12), tap.grid


def onto(values: NDArray[np.floating[Any]], grid: Grid, labels: bool = False) -> NDArray[Any]:
    """Bring [b, rows, cols] of a model's grid to another: by area, or labels by nearest centre."""
    if values.shape[1:] == (grid.rows, grid.cols):
        return values
    return nearest(values, grid) if labels else patch_means(values, grid)
