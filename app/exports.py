"""The files that a scene can be saved as."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

from app import worker
from workbench import scenes
from workbench.scenes import SceneSpec

Made = tuple[bytes, str]
Picture = Literal["masked", "reconstruction", "composite"]


def _mask(ending: str, kind: str, spec: SceneSpec, with_original: bool) -> Made:
    with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
        path = worker.run(scenes.preview, spec).mask.save(Path(folder) / f"mask{ending}")
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
    "masked.png": partial(_picture, "masked"),
    "reconstruction.png": partial(_picture, "reconstruction"),
    "composite.png": partial(_picture, "composite"),
}
