"""From the name in a scene to pixels; a name never becomes a path."""

import re
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.data import uploads
from workbench.data.images import How, fit, open_image
from workbench.data.samples import photo, photos
from workbench.errors import BadInput, shown

Pixels = NDArray[np.uint8]
DRAWN = re.compile(r"drawn-(\d{1,9})")
DRAWN_SIDE = 288
SHOWN_SIDE = 576
MADE_OF_PHOTOS: list[Any] = []  # caches of what others make of photos


@lru_cache(maxsize=16)
def source(name: str) -> Pixels:
    """The photo that a scene names, uint8 [h, w, 3], read-only.

    Raises:
        BadInput: no photo of that name is bundled, drawn or among the uploads.
    """
    drawn = DRAWN.fullmatch(name)
    if drawn is not None:
        from workbench.data.scenes_drawn import scene as drawn_scene

        pixels = drawn_scene(int(drawn[1]), DRAWN_SIDE).image
    elif uploads.is_upload(name):
        pixels = open_image(uploads.load(name)).pixels
    elif any(info.name == name for info in photos()):
        pixels = photo(name)
    else:
        known = ", ".join(info.name for info in photos())
        raise BadInput(
            f"{shown(name)} is no photo here; choose one of {known}, drawn-0, drawn-1, ..., "
            "or upload yours."
        )
    pixels.setflags(write=False)
    return pixels


def forget() -> None:
    """Drop what is cached, after an upload was deleted."""
    for cached in (source, fitted, display, *MADE_OF_PHOTOS):
        cached.cache_clear()


@lru_cache(maxsize=64)
def fitted(name: str, height: int, width: int, how: How) -> Pixels:
    """The photo as the model sees it, uint8 [height, width, 3], read-only."""
    pixels = fit(source(name), height, width, how)
    pixels.setflags(write=False)
    return pixels


@lru_cache(maxsize=32)
def display(name: str, height: int, width: int, how: How) -> Pixels:
    """The same picture with more pixels, to paint on: a whole multiple of the model's size."""
    times = max(1, min(SHOWN_SIDE // max(height, width), 8))
    return fitted(name, height * times, width * times, how)
