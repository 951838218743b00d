"""The same photo and the same mask through several models, and how two of them differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from workbench.errors import BadInput, shown
from workbench.scenes.compose import Scene, compose
from workbench.scenes.photos import Pixels
from workbench.scenes.spec import SceneSpec

Picture = Literal["composite", "reconstruction"]
MOST = 4
SHAPES_ALIKE = 0.01  # two pictures of one photo whose width over height differs less show the same


@dataclass(frozen=True)
class Entry:
    """One model's scene, or the sentence why there is none."""

    name: str
    scene: Scene | None
    problem: str = ""


@dataclass(frozen=True)
class Difference:
    """The second model's picture minus the first's.

    `signed` float32 [h, w] is the mean over RGB and `absolute` the mean of the three absolute
    differences, both in units of [0, 1] RGB; `hidden` bool [h, w] tells which pixels both models
    had to guess. `mean` and `largest` are absolute, over those `pixels` alone (None where there is
    none); `closer` is the share of them where the second is nearer to the photo, ties counted half.
    `note` says what was done to make the pictures fit.
    """

    signed: NDArray[np.float32]
    absolute: NDArray[np.float32]
    hidden: NDArray[np.bool_]
    mean: float | None
    largest: float | None
    closer: float | None
    pixels: int
    note: str


def beside(spec: SceneSpec, names: Sequence[str]) -> tuple[Entry, ...]:
    """The scene with each of the models, in order.

    The recipe and the seed are the same; where models have other grids, each gets the mask that
    they draw on its own (`grid_note` says so). A model that cannot be loaded, or a mask that its
    grid cannot hold, leaves a sentence and the others standing.

    Raises:
        BadInput: no model, a model twice, or more than four.
    """
    if not 1 <= len(names) <= MOST or len(set(names)) != len(names):
        raise BadInput(
            f"{len(names)} models are chosen ({shown(', '.join(names))}), but must be 1 to {MOST} "
            "different ones; choose again."
        )
    return tuple(_entry(spec, name) for name in names)


def _entry(spec: SceneSpec, name: str) -> Entry:
    try:
        return Entry(name, compose(spec.replace(model=name)))
    except BadInput as error:
        return Entry(name, None, str(error))


def grid_note(entries: Sequence[Entry]) -> str:
    """A sentence on what the models' grids mean for the mask; "" where there is nothing to say."""
    made = [entry.scene for entry in entries if entry.scene is not None]
    if len(made) < 2:
        return ""
    grids = {(scene.grid.rows, scene.grid.cols, scene.grid.patch) for scene in made}
    if len(grids) == 1:
        return "All see the same photo with the same hidden patches."
    each = ", ".join(
        f"{scene.spec.model} {scene.grid.rows} × {scene.grid.cols} of {scene.grid.patch} px"
        for scene in made
    )
    return (
        f"The grids differ ({each}): the same recipe and seed draw the mask on each model's own "
        "grid, so the holes are not the same pixels and errors compare only roughly."
    )


def difference(first: Scene, second: Scene, picture: Picture = "composite") -> Difference:
    """Compare what two models made of one photo, the second minus the first.

    Pictures of other sizes are brought to the larger one's by bilinear interpolation.

    Raises:
        BadInput: scenes of two photos, or cuts of other proportions, which show different things.
    """
    if (first.spec.photo, first.spec.fit) != (second.spec.photo, second.spec.fit):
        raise BadInput(
            f"the scenes show {first.spec.photo} ({first.spec.fit}) and {second.spec.photo} "
            f"({second.spec.fit}), but must show one photo in one way; change one of them."
        )
    sizes = [scene.photo.shape[:2] for scene in (first, second)]
    wide = [width / height for height, width in sizes]
    if first.spec.fit != "resize" and abs(wide[0] - wide[1]) > SHAPES_ALIKE:
        raise BadInput(
            f"the models see {_said(sizes[0])} and {_said(sizes[1])} px, other cuts of the photo, "
            "whose pixels do not belong together; choose the fit resize."
        )
    size = max(sizes)
    one, two = (_at(getattr(scene, picture), size) for scene in (first, second))
    photo = _at(max(first.photo, second.photo, key=len), size)
    hidden = _holes(first, size) & _holes(second, size)
    delta = two - one
    absolute = np.abs(delta).mean(axis=2)
    found = absolute[hidden]
    note = ""
    if sizes[0] != sizes[1]:
        note = f"Sizes are {_said(sizes[0])} and {_said(sizes[1])} px; both are shown at the larger"
        note += ", and only pixels that are hidden from both models are counted."
    return Difference(
        signed=delta.mean(axis=2),
        absolute=absolute,
        hidden=hidden,
        mean=float(found.mean()) if found.size else None,
        largest=float(found.max()) if found.size else None,
        closer=_closer(one, two, photo, hidden),
        pixels=int(found.size),
        note=note,
    )


def _closer(
    one: NDArray[np.float32],
    two: NDArray[np.float32],
    photo: NDArray[np.float32],
    hidden: NDArray[np.bool_],
) -> float | None:
    if not hidden.any():
        return None
    errors = [np.square(each - photo).sum(axis=2)[hidden] for each in (one, two)]
    return float((errors[1] < errors[0]).mean() + (errors[1] == errors[0]).mean() / 2)


def _at(pixels: Pixels, size: tuple[int, int]) -> NDArray[np.float32]:
    """uint8 [h, w, 3] to float32 [*size, 3] in [0, 1]."""
    if pixels.shape[:2] != size:
        scaled = Image.fromarray(pixels).resize((size[1], size[0]), Image.Resampling.BILINEAR)
        pixels = np.asarray(scaled)
    return pixels.astype(np.float32) / np.float32(255)


def _holes(scene: Scene, size: tuple[int, int]) -> NDArray[np.bool_]:
    """The hidden pixels at another size, by the nearest pixel."""
    hidden = scene.mask.to_pixels()[0]
    rows = np.arange(size[0]) * hidden.shape[0] // size[0]
    cols = np.arange(size[1]) * hidden.shape[1] // size[1]
    return hidden[np.ix_(rows, cols)]


def _said(size: tuple[int, ...]) -> str:
    return f"{size[1]} x {size[0]}"
