"""The files that a scene can be saved as."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

from app import worker
from workbench import scenes
from workbench.data.score_maps import write_map
from workbench.errors import BadInput
from workbench.scenes import SceneSpec

Made = tuple[bytes, str]
Picture = Literal["masked", "reconstruction", "composite"]


def _mask(ending: str, kind: str, spec: SceneSpec, with_original: bool) -> Made:
    with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
        path = worker.run(scenes.preview, spec).mask.save(Path(folder) / f"mask{ending}")
        return path.read_bytes(), kind


def _map(ending: str, kind: str, spec: SceneSpec, with_original: bool) -> Made:
    """The first score map that the mask follows."""
    maps = worker.run(scenes.preview, spec).maps
    if not maps:
        raise BadInput(
            f"the mask {spec.mask} follows no score map; take one that does, such as guided()."
        )
    with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
        path = write_map(Path(folder) / f"map{ending}", next(iter(maps.values()))[0])
        return path.read_bytes(), kind


def _png(which: Picture, spec: SceneSpec, with_original: bool) -> bytes:
    return scenes.export_png(scenes.compose(spec), which, with_original)


def _picture(which: Picture, spec: SceneSpec, with_original: bool) -> Made:
    return worker.run(_png, which, spec, with_original), "image/png"


FILES: dict[str, Callable[[SceneSpec, bool], Made]] = {
    "mask.npz": partial(_mask, ".npz", "application/octet-stream"),
    "mask.png": partial(_mask, ".png", "image/png"),
    "mask.rle.json": partial(_mask, ".rle.json", "application/json"),
    "mask.json": partial(_mask, ".json", "application/json"),
    "map.npy": partial(_map, ".npy", "application/octet-stream"),
    "map.png": partial(_map, ".png", "image/png"),
    "masked.png": partial(_picture, "masked"),
    "reconstruction.png": partial(_picture, "reconstruction"),
    "composite.png": partial(_picture, "composite"),
}
