"""A mask file of any kind as a painted layer for a scene: the link carries it, no path is kept."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import BadInput, shown
from workbench.masks import imports, storage
from workbench.scenes.compose import grid_of
from workbench.scenes.paint import patch_ranges
from workbench.scenes.photos import source
from workbench.scenes.spec import SceneSpec

BYTE_LIMIT = 16 * 2**20
SAME_SHAPE = 0.02  # relative difference of width over height


@dataclass(frozen=True)
class Imported:
    """A recipe `painted(hide=...)`, and sentences on how it came about."""

    recipe: str
    notes: tuple[str, ...]


def import_mask(spec: SceneSpec, name: str, content: bytes) -> Imported:
    """Read a file that lies on the scene's photo: a saved mask, a picture, LabelMe, CVAT.

    A picture or annotation of the photo's own shape is cut as the photo is cut.

    Args:
        spec: the scene; its photo, fit and model's grid count.
        name: the file's name, of which only the ending matters.
        content: the file.

    Raises:
        BadInput: too big, broken, of another grid, or drawn on a picture of another shape.
    """
    if len(content) > BYTE_LIMIT:
        raise BadInput(
            f"{shown(name)} has {len(content)} bytes, at most {BYTE_LIMIT} are taken; save the "
            "mask smaller."
        )
    ending = next((each for each in ENDINGS if name.lower().endswith(each)), None)
    if ending is None:
        raise BadInput(f"{shown(name)} has no known ending; masks are {', '.join(ENDINGS)}.")
    with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
        path = Path(folder) / f"mask{ending}"
        path.write_bytes(content)
        try:
            return _imported(spec, path)
        except BadInput as error:
            raise BadInput(str(error).replace(repr(path.name), shown(name), 1)) from None


ENDINGS = (*storage.ENDINGS, *storage.READ_ONLY)


def _imported(spec: SceneSpec, path: Path) -> Imported:
    grid, photo = grid_of(spec), source(spec.photo)
    pictures = imports.pictures(path)
    notes: list[str] = []
    options: dict[str, Any] = {"fit": spec.fit}
    if pictures is not None:
        same = [one for one in pictures if _alike(one.width / one.height, photo)]
        if not same:
            seen = f"{pictures[0].width} x {pictures[0].height}"
            raise BadInput(
                f"{path.name!r} was drawn on a picture of {seen}, but the photo has "
                f"{photo.shape[1]} x {photo.shape[0]} pixels; open the picture that it belongs to."
            )
        options["image"] = same[0].name
        if len(pictures) > 1:
            notes.append(f"The file holds {len(pictures)} pictures; {same[0].name} is used.")
    elif path.suffix == ".png" and not _alike(_aspect(path), photo):
        options["fit"] = "resize"
    mask = imports.read(path, grid, **options)
    if len(mask) > 1:
        notes.append(f"The file holds {len(mask)} masks; the first one is used.")
    recipe = f'painted(hide="{patch_ranges(mask[0].to_bits())}")'
    notes.append(f"{int(mask.counts[0])} of {grid.size} patches hidden by the file.")
    return Imported(recipe, tuple(notes))


def _alike(aspect: float, photo: Any) -> bool:
    return abs(aspect * photo.shape[0] / photo.shape[1] - 1) <= SAME_SHAPE


def _aspect(path: Path) -> float:
    """Width over height of a PNG, from its header; 0 for another file."""
    with path.open("rb") as file:
        start = file.read(24)
    width, height = (int.from_bytes(start[at : at + 4], "big") for at in (16, 20))
    return width / height if height else 0.0
