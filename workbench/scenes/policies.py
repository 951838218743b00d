"""Policies side by side: what several strategies hide of one photo, and what the model makes."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np

from workbench.analysis.metrics import Metrics, hidden_metrics
from workbench.masks import Grid, Mask
from workbench.scenes.compose import (
    Scene,
    activity,
    compose,
    grid_of,
    maps_of,
    masked_picture,
    model_of,
    to_float,
)
from workbench.scenes.frequency import frequency_pictures, spectrum_picture
from workbench.scenes.lab import LabSpec
from workbench.scenes.photos import DRAWN, DRAWN_SIDE, MADE_OF_PHOTOS, Pixels, fitted
from workbench.scenes.spec import SceneSpec

Kind = Literal["picture", "clip", "frequency"]


@dataclass(frozen=True)
class Frame:
    """One frame of a clip: `composite` is None where nothing or everything is hidden."""

    masked: Pixels
    composite: Pixels | None


@dataclass(frozen=True)
class Policy:
    """One strategy on the photo: a `scene`, or the frames of a clip, or what became of a spectrum.

    `pictures` are (name, uint8 [h, w, 3 or 4]) in the order to be shown; `metrics` are over hidden
    pixels, of a clip over those of all its frames; `notes` are sentences to show beside them.
    """

    recipe: str
    kind: Kind
    scene: Scene | None
    pictures: tuple[tuple[str, Pixels], ...]
    strip: tuple[Frame, ...]
    metrics: Metrics | None
    notes: tuple[str, ...]


def policy(spec: LabSpec, at: int) -> Policy:
    """Show policy `at` of the lab on its photo.

    The model answers on its own grid. On a grid with frames a policy hides as many frames of the
    photo's clip (drawn scenes move, other photos stand still), each of which the model sees alone.

    Raises:
        BadInput: see `compose`.
    """
    return _policy(spec.scene_of(at), spec.lattice(at))


@lru_cache(maxsize=16)
def _policy(spec: SceneSpec, grid: Grid) -> Policy:
    if grid.frames is not None:
        return _clip(spec, spec.mask, grid.frames)
    if spec.strategy.domain == "frequency":
        return _spectrum(spec, spec.mask, grid)
    scene = compose(spec)
    pictures = (
        ("masked", scene.masked),
        ("reconstruction", scene.reconstruction),
        ("paste-back", scene.composite),
    )
    return Policy(spec.mask, "picture", scene, pictures, (), scene.metrics, scene.notes)


def _clip(spec: SceneSpec, recipe: str, frames: int) -> Policy:
    grid = replace(grid_of(spec), frames=frames)
    clip = clip_of(spec, frames)
    mask = spec.strategy.sample(grid, seed=spec.seed, maps=maps_of(spec, None, grid))
    model, strip = model_of(spec), list[Frame]()
    with activity:
        for picture, hidden in zip(clip, mask.hidden[0], strict=True):
            one = Mask(hidden[None], replace(grid, frames=None))
            masked = masked_picture(picture, one.to_pixels()[0], spec)
            whole = hidden.all() or not hidden.any()
            strip.append(
                Frame(masked, None if whole else model.reconstruct_picture(picture, one).composite)
            )
    metrics = _over_frames(clip, strip, mask.to_pixels()[0])
    notes = ["The model sees each frame alone."]
    if DRAWN.fullmatch(spec.photo) is None:
        notes.append("This photo does not move; drawn scenes do.")
    return Policy(recipe, "clip", None, (), tuple(strip), metrics, tuple(notes))


def _over_frames(clip: Pixels, strip: list[Frame], hidden: "np.ndarray") -> Metrics | None:
    known = [
        hidden_metrics(to_float(picture), to_float(frame.composite), cells)
        for picture, frame, cells in zip(clip, strip, hidden, strict=True)
        if frame.composite is not None
    ]
    pixels = sum(each.pixels for each in known)
    if not pixels:
        return None
    mse = sum((each.mse or 0.0) * each.pixels for each in known) / pixels
    parts = [(each.ssim, each.pixels) for each in known if each.ssim is not None]
    ssim = (
        sum(value * count for value, count in parts) / pixels if len(parts) == len(known) else None
    )
    return Metrics(mse, float("inf") if mse == 0 else -10 * float(np.log10(mse)), ssim, pixels)


def clip_of(spec: SceneSpec, frames: int) -> Pixels:
    """The photo as a clip at the model's size, uint8 [frames, h, w, 3].

    A drawn scene moves: its sixteen frames are thinned evenly; any other photo is repeated.
    """
    height, width = grid_of(spec).pixels
    return _clip_of(spec.photo, height, width, spec.fit, frames)


@lru_cache(maxsize=4)
def _clip_of(photo: str, height: int, width: int, how: str, frames: int) -> Pixels:
    from workbench.data.images import fit
    from workbench.data.scenes_drawn import scene

    found = DRAWN.fullmatch(photo)
    if found is None:
        still = fitted(photo, height, width, how)  # pyright: ignore[reportArgumentType]
        return np.broadcast_to(still, (frames, *still.shape))
    moving = scene(int(found[1]), DRAWN_SIDE).clip.frames
    chosen = moving[np.linspace(0, len(moving) - 1, frames).round().astype(int)]
    return np.stack([fit(each, height, width, how) for each in chosen])  # pyright: ignore


def _spectrum(spec: SceneSpec, recipe: str, grid: Grid) -> Policy:
    """What is left of the photo without the hidden frequencies; the model knows of patches only."""
    photo = fitted(spec.photo, *grid.pixels, spec.fit)
    mask = spec.strategy.sample(grid, seed=spec.seed)
    unclamped, clamped = frequency_pictures(photo, mask)
    pictures = (
        ("spectrum, hidden black", spectrum_picture(photo, mask)),
        ("unclamped, scaled", unclamped),
        ("clamped", clamped),
    )
    notes = ("Frequencies are hidden, not patches: the model is not asked.",)
    return Policy(recipe, "frequency", None, pictures, (), None, notes)


MADE_OF_PHOTOS.extend([_policy, _clip_of])
