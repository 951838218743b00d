"""Learn a task from one example: paint what is hidden of a target beside its input (Painter)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.masks import Grid, Mask
from workbench.models.headed import fresh_weights
from workbench.models.initial import initialise
from workbench.models.painting import PaintingViT
from workbench.models.patches import denormalise, normalise, patchify
from workbench.objectives.objective import (
    Batch,
    EncoderShape,
    Loss,
    Measured,
    Objective,
    Takes,
    flags,
)
from workbench.objectives.sized import other
from workbench.params import Knob

BLACK = 1 / 512  # mean of what is to be seen of a target, below which it says nothing


@dataclass(frozen=True, kw_only=True)
class Painter(Objective):
    """Smooth absolute error, `beta` wide, on hidden and valid pixels of the target canvas.

    An example stands above a question: inputs on one canvas, targets on the other; only patches of
    the target canvas are hidden. Masks are drawn on it alone, 2 x rows high; with its lower half
    hidden the question is answered, as when the model is used. Rows whose visible target is nearly
    black have no loss, for nothing says which task is meant.

    Wang et al., Painter; official files `Painter/models_painter.py`, `data/pairdataset.py` (there
    canvases of 896 x 448 pixels, the streams merged after block 3, smooth L1 of beta 0.01).
    """

    paper: ClassVar[str] = "arXiv:2212.02499"
    takes: ClassVar[Takes] = "tasks"
    shareable: ClassVar[bool] = False
    default_mask: ClassVar[str] = "target_half(half=0.5, ratio=0.75)"
    equal_counts: ClassVar[bool] = False
    frames: ClassVar[str] = "view"
    metric: ClassVar[str] = "absolute error of the answer to a new scene, 0 to 1, by task"
    shareable: ClassVar[bool] = False
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = other(
        "tasks_painter", 1000, 40_000, "drawn_tasks(count=500)", "drawn_tasks(count=5000)",
        batch=32,
    )  # fmt: skip

    merge: Annotated[
        int, Knob("blocks before the streams become one", 1, 128, 1, None, 12, fixed=True)
    ] = 3
    width: Annotated[
        int, Knob("numbers a pixel in the head", 1, 1024, 8, None, 64, fixed=True)
    ] = 16  # fmt: skip
    beta: Annotated[float, Knob("error below which it is squared", 1e-4, 10, 0.01, None, 1)] = 0.01

    def build(self, shape: EncoderShape, seed: int) -> PaintingViT:
        """A ViT over canvases of twice the height, without a class token."""
        vit = replace(shape.vit, rows=2 * shape.rows, class_token=False)
        with fresh_weights(seed):
            model = PaintingViT(vit, self.merge, self.width)
        initialise(model, seed)
        return model

    def grid(self, shape: EncoderShape) -> Grid:
        """The target canvas: the example's target above the question's."""
        return Grid(2 * shape.rows, shape.cols, patch=shape.patch)

    def loss(self, model: nn.Module, batch: Batch, mask: Mask, step: int, progress: float) -> Loss:
        """Mean over hidden, valid pixels and colours."""
        target = normalise(_canvas(batch.images, 1))
        weight = self.counted(batch, mask)
        said = self.predictions(model, batch, mask).float()
        error = F.smooth_l1_loss(said, target, beta=self.beta, reduction="none").mean(1)
        return Loss((error * weight).sum() / weight.sum().clamp_min(1))

    def counted(self, batch: Batch, mask: Mask) -> Tensor:
        """The pixels with a loss, float32 [b, 2 * h, w] of 0 and 1."""
        hidden = torch.from_numpy(mask.to_pixels()).to(batch.images.device)
        weight = (hidden & (_valid(batch) > 0.5)).float()
        seen = _canvas(batch.images, 1).mean(1) * ~hidden
        bright = seen.sum((1, 2)) / (~hidden).sum((1, 2)).clamp_min(1)
        said = (bright >= BLACK) | hidden.all(-1).all(-1)
        return weight * said[:, None, None]

    def predictions(self, model: nn.Module, batch: Batch, mask: Mask) -> Tensor:
        """The painted target canvas, [b, 3, 2 * h, w], ImageNet-normalised."""
        own = cast(PaintingViT, model)
        patch = own.encoder.shape.patch
        canvases = [patchify(normalise(_canvas(batch.images, i)), patch) for i in range(2)]
        return own(canvases[0], canvases[1], flags(mask, canvases[0]))

    def measures(self, model: nn.Module, batch: Batch, mask: Mask) -> dict[str, Measured]:
        """Answers with the lower half hidden; beside the example's target, and the input."""
        lower = mask.hidden.copy()
        lower[:] = False
        lower[:, lower.shape[1] // 2 :] = True
        said = denormalise(self.predictions(model, batch, Mask(lower, mask.grid)).float())
        h = batch.images.shape[-2]
        truth, valid = batch.images[:, 3], _valid(batch)[:, h:]

        def error(guess: Tensor) -> Tensor:
            wrong = (guess.clamp(0, 1) - truth).abs().mean(1) * valid
            return wrong.sum((1, 2)) / valid.sum((1, 2)).clamp_min(1)

        own = error(said[:, :, h:])
        example, photo = error(batch.images[:, 1]), error(batch.images[:, 2])
        grey = error(torch.full_like(truth, 0.5))
        beside = {"the example's target": example, "the input itself": photo, "grey": grey}
        found = {"all tasks": Measured(own, beside)}
        tasks = cast(Tensor, batch.labels)
        for task in range(int(tasks.max()) + 1):
            others = tasks != task
            told = {who: each.masked_fill(others, torch.nan) for who, each in beside.items()}
            found[f"task {task}"] = Measured(own.masked_fill(others, torch.nan), told)
        return found

    def picture(self, model: nn.Module, batch: Batch, mask: Mask) -> dict[str, Tensor]:
        """Both canvases, what was seen of the target, and the paste-back."""
        target = _canvas(batch.images, 1)
        hidden = torch.from_numpy(mask.to_pixels()).to(target.device)[:, None]
        said = denormalise(self.predictions(model, batch, mask).float()).clamp(0, 1)
        return {
            "input": _canvas(batch.images, 0),
            "target": target,
            "seen": target.masked_fill(hidden, 0.5),
            "painted": said.where(hidden, target),
        }

    def features(self, model: nn.Module, images: Tensor) -> Tensor:
        """Mean token of a picture, shown above itself: [b, 3, h, w], or a row's question."""
        own = cast(PaintingViT, model)
        view = images[:, 2] if images.ndim == 5 else images
        canvas = torch.cat([view, view], dim=-2)
        return own.encoder(patchify(normalise(canvas), own.encoder.shape.patch)).mean(1)


def _canvas(images: Tensor, which: int) -> Tensor:
    """The input (0) or target (1) canvas of rows [b, 4, 3, h, w], [b, 3, 2 * h, w]."""
    return torch.cat([images[:, which], images[:, 2 + which]], dim=-2)


def _valid(batch: Batch) -> Tensor:
    """Where the target canvas means something, float32 [b, 2 * h, w]; all of it if not told."""
    found = batch.extra.get("valid")
    if found is None:
        return torch.ones_like(_canvas(batch.images, 1)[:, 0])
    return found.flatten(1, 2).float()
