"""The score maps that a strategy needs, computed for a batch of pictures."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput
from workbench.masks import Grid, Strategy

if TYPE_CHECKING:
    from workbench.models.reconstruction import Reconstructor
    from workbench.models.transformer import ViT
    from workbench.scores.context import Context


def maps_for(
    strategy: Strategy,
    images: NDArray[np.float32],
    grid: Grid,
    model: "Reconstructor | ViT | None" = None,
    seed: int = 0,
    labels: NDArray[Any] | None = None,
    *,
    depth: NDArray[Any] | None = None,
    given: Mapping[str, NDArray[Any]] | None = None,
    clip: Path | None = None,
) -> dict[str, NDArray[np.float32]]:
    """Compute every map of `strategy.needs`, to be passed on to `strategy.sample(maps=...)`.

    A strategy that needs none gets {} at once, and nothing heavy is imported for it.

    Args:
        strategy: what will be drawn.
        images: float32 [b, 3, h, w] in [0, 1], or [b, frames, 3, h, w] for a grid with frames;
            without that axis every frame of the grid gets the same map.
        grid: where the masks will live.
        model: a loaded model or encoder for the scores that ask one; None for the bundled one.
        seed: decides every random choice of a score.
        labels: objects a pixel, [b, h, w], 0 = background, where they are known.
        depth: distance a pixel, [b, h, w], where it is known.
        given: maps by the names that recipes use, [h, w] or [b, h, w] each.
        clip: the folder of a CLIP.

    Returns:
        A map float32 [b, *grid.shape] by recipe.

    Raises:
        BadInput: an unknown score, or one that misses something: one sentence.
    """
    if not strategy.needs:
        return {}
    from workbench.scores.context import Context

    context = Context(model, seed, labels, depth, given or {}, clip)
    return {recipe: score_map(recipe, images, grid, context) for recipe in strategy.needs}


def score_map(
    recipe: str, images: NDArray[np.float32], grid: Grid, context: "Context"
) -> NDArray[np.float32]:
    """Compute one map a picture; see `maps_for`.

    Returns:
        float32 [b, *grid.shape].
    """
    from workbench.scores.score import SCORES

    score = SCORES.parse(recipe)
    pictures = _checked(images)
    flat = grid
    if grid.frames is not None:
        flat = Grid(grid.rows, grid.cols, grid.patch, domain=grid.domain)
        if pictures.ndim == 5 and pictures.shape[1] != grid.frames:
            raise BadInput(
                f"the clip has {pictures.shape[1]} frames, but the grid has {grid.frames}; "
                "cut the clip or take another grid."
            )
    each = pictures.reshape(-1, *pictures.shape[-3:])
    frames = len(each) // len(pictures)
    parts = [
        score.maps(each[at : at + 1], flat, context.only(at // frames, len(pictures)))
        for at in range(len(each))
    ]
    found = np.concatenate(parts).astype(np.float32)
    if found.shape != (len(each), *flat.shape) or not np.isfinite(found).all():
        raise TypeError(f"{score.name}.maps returned {found.shape}, or numbers that are none")
    if grid.frames is None:
        return found
    if pictures.ndim == 5:
        return found.reshape(-1, *grid.shape)
    return np.repeat(found[:, None], grid.frames, axis=1)


def _checked(images: NDArray[np.float32]) -> NDArray[np.float32]:
    images = np.asarray(images)
    good = images.ndim in (4, 5) and images.shape[-3] == 3 and 0 not in images.shape
    if not good or images.dtype.kind != "f":
        raise BadInput(
            f"images are {images.dtype} of shape {list(images.shape)}, wanted float32 "
            "[b, 3, h, w] in [0, 1]; divide bytes by 255 and move the channels to the front."
        )
    return images.astype(np.float32, copy=False)
