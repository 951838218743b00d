"""Photos that ship inside scikit-image and scikit-learn: on every machine, without a download."""

import importlib.util
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from workbench.data.images import open_image
from workbench.errors import BadInput, shown

Kind = Literal["photo", "texture", "science", "drawing"]
FOLDERS = {"scikit-image": ("skimage", "data"), "scikit-learn": ("sklearn", "datasets/images")}


@dataclass(frozen=True)
class PhotoInfo:
    """A bundled picture: its short name, a title, where it comes from and under which terms."""

    name: str
    title: str
    source: str
    licence: str
    kind: Kind = "photo"
    file: str = ""


def _skimage(name: str, title: str, by: str, licence: str, kind: Kind, file: str) -> PhotoInfo:
    return PhotoInfo(name, title, f"scikit-image; {by}", licence, kind, file)


def _sklearn(name: str, title: str, by: str) -> PhotoInfo:
    return PhotoInfo(name, title, f"scikit-learn; {by}", "CC BY 2.0", "photo", f"{name}.jpg")


_FREE = "no known copyright restrictions"
# Sources and licences as the two packages state them beside the files.
CATALOGUE = (
    _skimage("astronaut", "Eileen Collins, astronaut", "NASA", "public domain", "photo",
             "astronaut.png"),
    _skimage("chelsea", "Chelsea the cat", "Stefan van der Walt", "CC0", "photo", "chelsea.png"),
    _skimage("coffee", "Espresso cup", "Rachel Michetti", "CC0", "photo", "coffee.png"),
    _skimage("rocket", "Falcon 9 on the launch pad", "SpaceX", "public domain", "photo",
             "rocket.jpg"),
    _sklearn("china", "Summer Palace, Beijing", "danielbuechele (Flickr)"),
    _sklearn("flower", "Dahlia", "vultilion (Flickr)"),
    _skimage("motorcycle", "Motorcycle in a garage", "Middlebury Stereo 2014 (Scharstein et al.)",
             "not stated", "photo", "motorcycle_left.png"),
    _skimage("camera", "Photographer with a tripod", "Lav Varshney", "CC0", "photo", "camera.png"),
    _skimage("coins", "Greek coins from Pompeii", "Brooklyn Museum", _FREE, "photo", "coins.png"),
    _skimage("moon", "Surface of the Moon", "scikit-image", "not stated", "photo", "moon.png"),
    _skimage("clock", "Wall clock, moved while exposed", "Stefan van der Walt", "public domain",
             "photo", "clock_motion.png"),
    _skimage("brick", "Brick wall", "CC0Textures", "CC0", "texture", "brick.png"),
    _skimage("grass", "Grass", "linolafett (DeviantArt)", "CC0", "texture", "grass.png"),
    _skimage("gravel", "Gravel", "CC0Textures", "CC0", "texture", "gravel.png"),
    _skimage("hubble", "Hubble deep field", "NASA", "public domain", "science",
             "hubble_deep_field.jpg"),
    _skimage("retina", "Retina of a left eye", "Mikael Häggström", "CC0", "science", "retina.jpg"),
    _skimage("tissue", "Stained tissue", "scikit-image", _FREE, "science", "ihc.png"),
    _skimage("cell", "Cell under a phase microscope", "Paul Müller et al.", "CC0", "science",
             "cell.png"),
    _skimage("page", "Printed page", "scikit-image", "not stated", "drawing", "page.png"),
    _skimage("text", "Handwriting on paper", "Wikimedia Commons", "public domain", "drawing",
             "text.png"),
    _skimage("phantom", "Shepp-Logan phantom", "scikit-image", "not stated", "drawing",
             "phantom.png"),
    _skimage("chessboard", "Chessboard", "scikit-image", "not stated", "drawing",
             "chessboard_RGB.png"),
    _skimage("horse", "Silhouette of a horse", "Andreas Preuss", "CC0", "drawing", "horse.png"),
)  # fmt: skip
_BY_NAME = {info.name: info for info in CATALOGUE}


def photos() -> list[PhotoInfo]:
    """Return the bundled pictures found on this machine: photos first, then textures and the rest.

    Nothing is downloaded; a picture that the installed packages do not hold is left out.
    """
    return [info for info in CATALOGUE if _path(info) is not None]


def held_out() -> list[PhotoInfo]:
    """Return the photographs on which checkpoints are measured, and never trained.

    All bundled photos, textures and scientific pictures; no drawings and no text.
    """
    return [info for info in photos() if info.kind != "drawing"]


@lru_cache(maxsize=32)
def photo(name: str) -> NDArray[np.uint8]:
    """Return a bundled picture, uint8 [h, w, 3], read-only.

    Raises:
        BadInput: an unknown name, or one that this machine does not hold.
    """
    info = _BY_NAME.get(name)
    path = None if info is None else _path(info)
    if path is None:
        known = ", ".join(each.name for each in photos())
        raise BadInput(f"{shown(name)} is no bundled photo; choose one of: {known}")
    pixels = open_image(path).pixels
    pixels.flags.writeable = False
    return pixels


def _path(info: PhotoInfo) -> Path | None:
    package, inside = FOLDERS[info.source.partition(";")[0]]
    folder = _package_folder(package)
    path = None if folder is None else folder / inside / info.file
    return path if path is not None and path.is_file() else None


@lru_cache
def _package_folder(package: str) -> Path | None:
    """Where a package lies, without importing it (scikit-learn takes a second to import)."""
    spec = importlib.util.find_spec(package)
    places = None if spec is None else spec.submodule_search_locations
    return Path(places[0]) if places else None
