"""The score maps of a scene: made once for a photo, a model and a recipe, and kept."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.masks import Grid, Strategy
from workbench.scenes.photos import DRAWN, DRAWN_SIDE, MADE_OF_PHOTOS, Pixels, fitted
from workbench.scenes.spec import SceneSpec

if TYPE_CHECKING:
    from workbench.models.reconstruction import Reconstructor

Maps = dict[str, NDArray[np.float32]]
Load = Callable[[SceneSpec], "Reconstructor"]


def scene_maps(
    spec: SceneSpec,
    strategy: Strategy,
    grid: Grid,
    load: Load,
    pixels: Pixels | None = None,
    clip: Path | None = None,
) -> Maps:
    """Every map that the strategy needs, float32 [1, *grid.shape] by recipe; {} for most.

    Maps do not follow the scene's seed, so that a new roll draws from the same map. The newest 128
    are kept.

    Args:
        spec: whose photo and model.
        strategy: what will be drawn.
        grid: where the mask will live.
        load: gives the scene's model; called only for a map that asks one.
        pixels: uint8 [h, w, 3] of the grid's size, in place of the photo that the scene names.
        clip: the folder of a CLIP.

    Raises:
        BadInput: a score that is not there, or that misses something.
    """
    own = (spec.photo, spec.fit, spec.model, spec.device, spec.precision)
    given = None if pixels is None else _Given(_digest(pixels), pixels)
    return {recipe: _kept(recipe, own, grid, load, given, clip) for recipe in strategy.needs}


@dataclass(frozen=True)
class _Given:
    """Pixels that nobody named, known by their content."""

    digest: str
    pixels: Pixels = field(compare=False)


def _digest(pixels: Pixels) -> str:
    return hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()


@lru_cache(maxsize=128)
def _kept(
    recipe: str,
    own: tuple[str, ...],
    grid: Grid,
    load: Load,
    given: _Given | None,
    clip: Path | None,
) -> NDArray[np.float32]:
    names = ("photo", "fit", "model", "device", "precision")
    spec = SceneSpec(**dict(zip(names, own, strict=True)))  # pyright: ignore[reportArgumentType]
    if given is None:
        pixels, truth = fitted(spec.photo, *grid.pixels, spec.fit), _truth(spec, grid)
    else:
        pixels, truth = given.pixels, {}
    found = _made(recipe, spec, grid, pixels, truth, load, clip)
    found.setflags(write=False)
    return found


def _made(
    recipe: str,
    spec: SceneSpec,
    grid: Grid,
    pixels: Pixels,
    truth: dict[str, NDArray[Any]],
    load: Load,
    clip: Path | None,
) -> NDArray[np.float32]:
    from workbench.scores import SCORES, Context, score_map

    wants = SCORES.parse(recipe).wants
    asks = "model" in wants and not ("truth" in wants and truth)
    images = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], np.float32) / np.float32(255)
    context = Context(
        model=load(spec) if asks else None,
        labels=truth.get("labels"),
        depth=truth.get("depth"),
        clip=clip,
    )
    return score_map(recipe, images, grid, context)


def _truth(spec: SceneSpec, grid: Grid) -> dict[str, NDArray[Any]]:
    """What is known of a drawn scene, cut as its picture is; {} for photos."""
    drawn = DRAWN.fullmatch(spec.photo)
    if drawn is None:
        return {}
    from workbench.data.scenes_drawn import scene

    height, width = grid.pixels
    made = scene(int(drawn[1]), DRAWN_SIDE)
    return {
        "labels": _cut(made.objects, height, width, spec.fit)[None],
        "depth": _cut(made.depth, height, width, spec.fit)[None],
    }


def _cut(plane: NDArray[Any], height: int, width: int, how: str) -> NDArray[Any]:
    """Sample a square plane where `fit` would sample the picture; nothing lies in its margins."""
    side = plane.shape[0]
    scale = {"crop": max(height, width) / side, "letterbox": min(height, width) / side}
    down, across = (height / side, width / side) if how == "resize" else (scale[how], scale[how])
    y = np.floor((np.arange(height) + 0.5 - height / 2) / down + side / 2).astype(int)
    x = np.floor((np.arange(width) + 0.5 - width / 2) / across + side / 2).astype(int)
    out = plane[np.clip(y, 0, side - 1)[:, None], np.clip(x, 0, side - 1)]
    outside = ((y < 0) | (y >= side))[:, None] | ((x < 0) | (x >= side))
    return np.where(outside, 0, out).astype(plane.dtype)


def forget() -> None:
    """Drop what is kept, after models were."""
    _kept.cache_clear()


MADE_OF_PHOTOS.append(_kept)
