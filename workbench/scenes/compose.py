"""From a scene's description to its pictures and numbers."""

import gc
import sys
import threading
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.mask_card import MaskCard, mask_card
from workbench.analysis.metrics import Metrics, hidden_metrics
from workbench.errors import BadInput
from workbench.fills import FILLS
from workbench.masks import Grid, Mask, Strategy
from workbench.scenes.maps import Maps, forget, scene_maps
from workbench.scenes.photos import Pixels, display, fitted
from workbench.scenes.spec import SceneSpec

if TYPE_CHECKING:
    from workbench.models.reconstruction import Reconstructor


@dataclass(frozen=True)
class Preview:
    """What can be shown before the model has spoken.

    `photo` is what the model sees, uint8 [h, w, 3]; `shown` the same cut with more pixels;
    `masked` the photo with the fill in its hidden patches, uint8 [h, w, 3], or [h, w, 4] for a
    transparent fill; `hidden` bool [rows, cols]; `maps` the score maps that the mask follows,
    float32 [1, rows, cols] by recipe, {} for most.
    """

    spec: SceneSpec
    grid: Grid
    mask: Mask
    hidden: NDArray[np.bool_]
    card: MaskCard
    photo: Pixels
    shown: Pixels
    masked: Pixels
    maps: Maps

    @property
    def bits(self) -> str:
        """The mask as text, "1" a hidden patch, row by row."""
        return self.mask.to_bits()


@dataclass(frozen=True)
class Scene(Preview):
    """A preview and what the model made of it.

    `reconstruction` is the model's full prediction and `composite` the photo with only its hidden
    patches predicted, uint8 [h, w, 3]; `error` float [rows, cols], mean squared error a patch in
    [0, 1] RGB; `metrics` counts hidden pixels of the composite only; `loss` is the training
    objective in the model's own space; `notes` are sentences to show beside the pictures.
    """

    reconstruction: Pixels
    composite: Pixels
    error: NDArray[np.float32]
    metrics: Metrics
    loss: float
    notes: tuple[str, ...]
    model_hash: str
    device: str
    precision: str
    milliseconds: float


class Activity:
    """Counts model calls, so that a page can show and a test can see how many run at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.running = self.most_at_once = self.calls = 0

    def __enter__(self) -> None:
        """One more call runs."""
        with self._lock:
            self.running += 1
            self.calls += 1
            self.most_at_once = max(self.most_at_once, self.running)

    def __exit__(self, *_: object) -> None:
        """One call less runs."""
        with self._lock:
            self.running -= 1


class Gpu:
    """Whether the GPU belongs to a training for now, see `lend_gpu`."""

    is_lent = False


activity = Activity()
gpu = Gpu()
_model_lock = threading.Lock()


@lru_cache(maxsize=4)  # as many as a page shows side by side
def _loaded(name: str, device: str, precision: str, mark: str) -> "Reconstructor":
    from workbench.models import load_reconstructor

    return load_reconstructor(name, device=device, precision=precision)


def model_of(spec: SceneSpec) -> "Reconstructor":
    """The scene's model, loaded once a process."""
    with _model_lock:
        device = "cpu" if gpu.is_lent and spec.device == "auto" else spec.device
        return _loaded(spec.model, device, spec.precision, _newest(spec.model))


def _newest(name: str) -> str:
    """The checkpoint that a run's model is read from: a training goes on while it is looked at."""
    from workbench.models.catalog import RUN, list_models

    if not name.startswith(RUN):
        return ""
    return next((str(info.weights) for info in list_models() if info.name == name), "")


def forget_models() -> None:
    """Give the memory of loaded models back."""
    with _model_lock:
        _loaded.cache_clear()
    forget()


def lend_gpu(is_lent: bool) -> None:
    """Leave the GPU to a training: its memory is given back, and "auto" means the CPU until then.

    A scene that asks for the GPU by its name still gets it.
    """
    with _model_lock:
        gpu.is_lent = is_lent
    forget_models()
    if is_lent and "torch" in sys.modules:
        import torch

        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def warm() -> None:
    """Import torch, load the default model and run it once, so that nobody waits for it later."""
    compose(SceneSpec())


def grid_of(spec: SceneSpec) -> Grid:
    """The patch grid of the scene's model, read from its card without loading it if it has one."""
    from workbench.models import list_models

    for info in list_models():
        if info.name == spec.model:
            return Grid(info.rows, info.cols, patch=info.patch)
    return model_of(spec).grid


@lru_cache(maxsize=64)
def preview(spec: SceneSpec) -> Preview:
    """Draw the mask and show the photo with it; needs no torch unless a score map does.

    Raises:
        BadInput: a photo, recipe or model that does not exist, or a mask that does not fit.
    """
    return _preview(spec, grid_of(spec), None, None)


def maps_of(
    spec: SceneSpec,
    strategy: Strategy | None = None,
    grid: Grid | None = None,
    pixels: Pixels | None = None,
    clip: Path | None = None,
) -> Maps:
    """The score maps that a strategy needs on the scene's photo, kept once they were made.

    Args:
        spec: whose photo and model.
        strategy: in place of the scene's own.
        grid: in place of the grid of the scene's model.
        pixels: uint8 [h, w, 3] in place of the photo that the scene names.
        clip: the folder of a CLIP.

    Raises:
        BadInput: see `preview`.
    """
    strategy = strategy or spec.strategy
    if not strategy.needs:
        return {}
    lattice = grid or grid_of(spec)
    if pixels is not None:
        from workbench.data.images import fit

        pixels = fit(pixels, *lattice.pixels, spec.fit)
    return scene_maps(spec, strategy, lattice, model_of, pixels, clip)


def preview_of(spec: SceneSpec, pixels: Pixels | None = None, maps: Maps | None = None) -> Preview:
    """`preview`, with `pixels` uint8 [h, w, 3] or score maps in place of the scene's own."""
    if pixels is None and maps is None:
        return preview(spec)
    return _preview(spec, grid_of(spec), pixels, maps)


def _preview(spec: SceneSpec, grid: Grid, pixels: Pixels | None, maps: Maps | None) -> Preview:
    height, width = grid.rows * grid.patch, grid.cols * grid.patch
    if pixels is None:
        photo = fitted(spec.photo, height, width, spec.fit)
        shown = display(spec.photo, height, width, spec.fit)
    else:
        from workbench.data.images import fit

        photo = shown = fit(pixels, height, width, spec.fit)
    strategy = spec.strategy
    found: Maps = {} if maps is None else dict(maps)
    if strategy.needs and maps is None:
        found = scene_maps(spec, strategy, grid, model_of, None if pixels is None else photo)
    mask = strategy.sample(grid, count=1, seed=spec.seed, maps=found)
    hidden = mask.hidden[0]
    masked = masked_picture(photo, mask.to_pixels()[0], spec)
    return Preview(spec, grid, mask, hidden, mask_card(hidden), photo, shown, masked, found)


def masked_picture(photo: Pixels, hidden: NDArray[np.bool_], spec: SceneSpec) -> Pixels:
    """The photo with the scene's fill in its hidden pixels; RGBA if the fill is transparent."""
    fill = FILLS.parse(spec.fill)
    if fill.transparent:
        alpha = np.where(hidden, 0, 255).astype(np.uint8)
        return np.dstack([np.where(hidden[..., None], 0, photo).astype(np.uint8), alpha])
    filled = fill.apply(to_float(photo)[None], hidden[None], seed=spec.seed)[0]
    return to_bytes(filled)


def compose(spec: SceneSpec, pixels: Pixels | None = None, maps: Maps | None = None) -> Scene:
    """Make the scene: mask, reconstruction, errors and numbers.

    Args:
        spec: what to show.
        pixels: uint8 [h, w, 3] to use in place of the photo that the scene names.
        maps: score maps [1, rows, cols] by recipe, in place of those made from the photo.

    Raises:
        BadInput: see `preview`; also a mask that hides nothing or everything, which the model
            refuses.
    """
    before = preview_of(spec, pixels, maps)
    model = model_of(spec)
    check_card(model.grid, before.grid, spec)
    with activity:
        started = time.perf_counter()
        result = model.reconstruct_picture(before.photo, before.mask)
        milliseconds = 1000 * (time.perf_counter() - started)
    hidden = before.mask.to_pixels()[0]
    values: dict[str, Any] = {name: getattr(before, name) for name in Preview.__dataclass_fields__}
    return Scene(
        **values,
        reconstruction=result.pixels,
        composite=result.composite,
        error=result.error,
        metrics=hidden_metrics(to_float(before.photo), to_float(result.composite), hidden),
        loss=result.loss,
        notes=result.notes,
        model_hash=model.hash,
        device=str(model.device),
        precision=model.precision,
        milliseconds=milliseconds,
    )


def check_card(grid: Grid, stated: Grid, spec: SceneSpec) -> None:
    """Refuse a model whose grid is not the one that its card states."""
    if grid != stated:
        raise BadInput(
            f"the model {spec.model} has a grid of {grid.rows} x {grid.cols}, its card "
            f"says {stated.rows} x {stated.cols}; write the card anew."
        )


def to_float(picture: Pixels) -> NDArray[np.float32]:
    """uint8 [h, w, 3] to float32 [3, h, w] in [0, 1]."""
    return np.ascontiguousarray(picture.transpose(2, 0, 1), dtype=np.float32) / np.float32(255)


def to_bytes(picture: NDArray[np.float32]) -> Pixels:
    """Float32 [3, h, w] in [0, 1] to uint8 [h, w, 3], rounded."""
    scaled = np.clip(picture, 0, 1) * np.float32(255) + np.float32(0.5)
    return np.ascontiguousarray(scaled.astype(np.uint8).transpose(1, 2, 0))
