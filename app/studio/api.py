"""The studio's endpoints: image in, recipe in, arrays out. `app.studio` shows how they are called.

Names, parameters and the keys of the answers are stable: new ones may come, none goes.
"""

import base64
import binascii
import logging
import math
import secrets
from collections.abc import Callable
from functools import wraps
from typing import Any

import gradio as gr
import numpy as np
from numpy.typing import NDArray

from app import worker
from app.sentences import whole
from workbench import scenes
from workbench.data.images import open_image
from workbench.errors import BadInput
from workbench.masks import MASKS, Grid, Mask, Strategy
from workbench.scenes import Scene, SceneSpec
from workbench.scenes.compose import maps_of

log = logging.getLogger("workbench.studio")
CELLS_LIMIT = 2**22
_DATA = "data:image/"


def reconstruct(
    photo: Any = "astronaut",
    mask: str = "random(ratio=0.75)",
    fill: str = "grey()",
    model: str = "default",
    seed: int = 0,
    fit: str = "crop",
) -> dict[str, Any]:
    """Hide parts of a photo and reconstruct them.

    Args:
        photo: a bundled name ("astronaut"), "drawn-3", a file (`handle_file("cat.png")`), a data
            URI of a PNG, JPEG or WebP, or an array [h, w, 3] of 0 to 255 or of 0.0 to 1.0, as
            nested lists or packed as in an answer.
        mask: a recipe such as "block(ratio=0.6)".
        fill: what stands in the holes of `masked`, a recipe.
        model: a name that `python -m workbench models` lists.
        seed: decides every random choice, 0 to 2**62.
        fit: how the photo is brought to the model's size: crop, letterbox or resize.

    Returns:
        recipe, seed, model, grid [rows, cols], bits ("1" a hidden patch, row by row); photo,
        masked, reconstruction, composite as {"shape": [h, w, 3], "dtype": "uint8", "base64": ...}
        (masked with a fourth channel where the fill is transparent); error, float32 [rows, cols],
        mean squared error in [0, 1] RGB, in the same form; metrics of the composite's hidden
        pixels: mse, psnr_db, ssim, pixels; loss; notes; query, which restores the scene in a link
        where the photo has a name.
    """
    fields = {"mask": mask, "fill": fill, "model": model, "seed": str(seed), "fit": fit}
    named = isinstance(photo, str) and not photo.startswith(_DATA)
    if named:
        scene = worker.run(scenes.compose, SceneSpec.from_query({**fields, "photo": photo}))
    else:
        scene = worker.run(scenes.compose, SceneSpec.from_query(fields), _pixels(photo))
    return _answer(scene, named)


def draw(
    mask: str = "random(ratio=0.75)",
    rows: int = 14,
    cols: int = 14,
    count: int = 1,
    seed: int = 0,
    patch: int = 16,
    photo: str = "",
) -> dict[str, Any]:
    """Draw masks of a recipe, the same to the bit as in Python and on the command line.

    Args:
        mask: a recipe such as "block(ratio=0.6)".
        rows: rows of the grid.
        cols: columns of the grid.
        count: how many masks; rows * cols * count is at most 4,194,304.
        seed: decides every random choice, 0 to 2**62.
        patch: side of a patch in pixels; some recipes state lengths in pixels.
        photo: a name as in `reconstruct`, for recipes that look at the picture.

    Returns:
        recipe (canonical), grid [rows, cols], bits (one text a mask, "1" a hidden patch, row by
        row), hidden (how many patches of each), ratio (their mean share).
    """
    if min(rows, cols, count) < 1 or rows * cols * count > CELLS_LIMIT:
        raise BadInput(
            f"{rows} x {cols} patches x {count} masks were asked for, but 1 to {CELLS_LIMIT:,} "
            "cells are drawn at once; ask for fewer."
        )
    strategy = MASKS.parse(mask)
    grid = Grid(rows, cols, patch=patch)
    drawn = worker.run(_sampled, strategy, grid, count, seed, photo)
    flat = drawn.hidden.reshape(count, -1)
    return {
        "recipe": str(strategy),
        "grid": [rows, cols],
        "bits": ["".join(np.where(row, "1", "0")) for row in flat],
        "hidden": flat.sum(axis=1).tolist(),
        "ratio": float(flat.mean()),
    }


def _sampled(strategy: Strategy, grid: Grid, count: int, seed: int, photo: str) -> Mask:
    maps: dict[str, Any] = {}
    if strategy.needs and photo:
        spec = SceneSpec.from_query({"photo": photo, "mask": str(strategy), "seed": str(seed)})
        found = maps_of(spec, strategy, grid)
        maps = {name: np.repeat(each, count, axis=0) for name, each in found.items()}
    return strategy.sample(grid, count=count, seed=seed, maps=maps)


def strategies() -> list[dict[str, Any]]:
    """List every mask strategy with its knobs: name, summary, paper, and type, range, default."""
    return plain(MASKS.describe())


def packed(array: NDArray[Any]) -> dict[str, Any]:
    """An array as JSON; lists of its numbers would take ten times as long on their way."""
    raw = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    return {"shape": list(array.shape), "dtype": str(array.dtype), "base64": raw}


def plain(value: Any) -> Any:
    """A value as JSON can hold it: arrays are packed, what is not finite becomes None."""
    if isinstance(value, dict):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, np.ndarray):
        return packed(value)
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | None) else str(value)


def _answer(scene: Scene, named: bool) -> dict[str, Any]:
    spec, metrics = scene.spec, scene.metrics
    return plain(
        {
            "recipe": spec.mask,
            "seed": spec.seed,
            "model": spec.model,
            "grid": [scene.grid.rows, scene.grid.cols],
            "bits": scene.bits,
            "photo": scene.photo,
            "masked": scene.masked,
            "reconstruction": scene.reconstruction,
            "composite": scene.composite,
            "error": scene.error.astype("<f4"),
            "metrics": {
                "mse": metrics.mse,
                "psnr_db": metrics.psnr_db,
                "ssim": metrics.ssim,
                "pixels": metrics.pixels,
            },
            "loss": scene.loss,
            "notes": list(scene.notes),
            "query": spec.to_query() if named else None,
        }
    )


def _pixels(photo: Any) -> NDArray[np.uint8]:
    """Uint8 [h, w, 3] out of a data URI or nested lists."""
    if isinstance(photo, str):
        head, _, body = photo.partition(",")
        try:
            raw = base64.b64decode(body, validate=True)
        except binascii.Error:
            raw = b""
        if not head.endswith(";base64") or not raw:
            raise BadInput(
                f"photo begins with {head[:40]!r}, but a data URI is data:image/png;base64,... "
                "with the bytes of a PNG, JPEG or WebP; encode the file's bytes."
            )
        return open_image(raw, name="photo").pixels
    try:
        array = _unpacked(photo) if isinstance(photo, dict) else np.asarray(photo)
    except (ValueError, TypeError, KeyError):  # rows of different lengths, bytes that do not fit
        array = np.empty(0)
    wrong = array.ndim != 3 or array.shape[2] != 3 or array.dtype.kind not in "iuf"
    if wrong or min(array.shape) < 1 or not np.isfinite(array).all():
        raise BadInput(
            f"photo is {_seen(photo, array)}, but must be a name, a file, a data URI or nested "
            "lists [h][w][3] of finite numbers; give one of these."
        )
    top = 1 if array.dtype.kind == "f" else 255
    if array.min() < 0 or array.max() > top:
        raise BadInput(
            f"photo holds values from {array.min():g} to {array.max():g}, but whole numbers must "
            "be in 0 to 255 and floats in 0 to 1; scale them."
        )
    if top == 1:
        array = array * 255 + 0.5
    return array.astype(np.uint8)


def _unpacked(packed: dict[str, Any]) -> NDArray[Any]:
    dtype = {"uint8": "u1", "float32": "<f4", "float64": "<f8"}[packed["dtype"]]
    raw = base64.b64decode(packed["base64"], validate=True)
    return np.frombuffer(raw, dtype).reshape(packed["shape"])


def _seen(photo: Any, array: NDArray[Any]) -> str:
    return f"an array {array.shape}" if isinstance(photo, list) else type(photo).__name__


def guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    """Tell bad input by its sentence and anything else by a log id, never by a trace."""

    @wraps(function)
    def answer(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except BadInput as error:
            raise gr.Error(whole(str(error)), print_exception=False) from None
        except Exception as error:
            mark = secrets.token_hex(4)
            log.error("Request failed, log id %s", mark, exc_info=error)
            sentence = f"Something failed here; the log has it as {mark}."
            raise gr.Error(sentence, print_exception=False) from None

    return answer


ENDPOINTS = {each.__name__: guarded(each) for each in (reconstruct, draw, strategies)}
