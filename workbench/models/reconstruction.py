"""From pictures and a mask to what the model makes of the hidden patches."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.errors import BadInput
from workbench.masks import Grid, Mask
from workbench.models.checkpoint import Checkpoint
from workbench.models.inference import moved_to, prepared
from workbench.models.mae import MaskedAutoencoder
from workbench.models.patches import patchify, unpatchify
from workbench.models.positions import Stretch, stretch_positions
from workbench.models.precision import threads_for
from workbench.models.targets import patch_statistics, patch_targets, spread_over_hidden

Statistics = Literal["visible", "true"]
CHUNK = 64
GRIDS_KEPT = 4
MAX_PATCHES = 4096


@dataclass(frozen=True)
class Reconstruction:
    """What the model said, on the CPU.

    `pixels` is the full prediction and `composite` the picture with only hidden patches predicted,
    float32 [b, 3, h, w] in [0, 1]; `error` the mean squared error of `pixels` a patch in [0, 1]
    RGB, float32 [b, rows, cols]; `loss` the training objective in the model's own space, mean over
    all hidden patches; `activations` holds `prediction` [b, n, p] in the model's own space and
    `latent` [b, prefix + visible, dim] (NaN after the end of shorter rows); `notes` are sentences
    to show beside the picture.
    """

    pixels: Tensor
    composite: Tensor
    error: Tensor
    loss: float
    activations: dict[str, Tensor] = field(default_factory=dict[str, Tensor])
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReconstructedPicture:
    """One picture in bytes: `pixels`, `composite` uint8 [h, w, 3], `error` float32 [rows, cols]."""

    pixels: NDArray[np.uint8]
    composite: NDArray[np.uint8]
    error: NDArray[np.float32]
    loss: float
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Answer:
    """Patches in [0, 1] and in the model's space [b, n, p], error [b, n], latent, loss."""

    patches: Tensor
    raw: Tensor
    error: Tensor
    latent: Tensor
    loss: float


class Reconstructor:
    """A loaded model, ready to be asked; calls from several threads do not disturb each other.

    Attributes:
        grid: the patch grid of its own pictures.
        size: height and width of those, in pixels.
        card: what is known of the model.
        notes: sentences to show beside every picture.
        device: where it runs.
        precision: "fp32" or "bf16".
        hash: SHA-256 of the weights file.
        weights: how many numbers it consists of.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        device: torch.device | None = None,
        precision: Literal["fp32", "bf16"] = "fp32",
        statistics: Statistics = "visible",
    ) -> None:
        self.device = device or torch.device("cpu")
        self.precision = precision
        self.statistics = statistics
        self.card, self.hash = checkpoint.card, checkpoint.hash
        # Gradients and maps need the weights as stored; whoever read a file leaves the way back.
        self.reread: Callable[[], Checkpoint] = lambda: checkpoint
        rows, cols = checkpoint.grid
        self.grid = Grid(rows, cols, patch=checkpoint.model.shape.patch)
        self.size = self.grid.pixels
        self.norm_pix = bool(checkpoint.norm_pix)
        self.notes = (*checkpoint.notes, *_norm_pix_notes(checkpoint.norm_pix, statistics))
        self._dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        self._shape = checkpoint.model.shape
        self._stretch: Stretch = checkpoint.stretch
        own = checkpoint.model
        # Positions stay exact until they have been stretched.
        self._tables = (own.encoder.pos_embed.float(), own.decoder_pos_embed.float())
        self.weights = sum(p.numel() for p in own.parameters())
        with threads_for(self.weights):  # short copies, which a second thread would only delay
            self._own = prepared(own, self.device, self._dtype)
        repeat = self.grid.patch**2
        self._mean = torch.tensor(checkpoint.mean * repeat, device=self.device)
        self._std = torch.tensor(checkpoint.std * repeat, device=self.device)
        self._models: dict[tuple[int, int], MaskedAutoencoder] = {}

    def __call__(self, images: Tensor | NDArray[np.float32], mask: Mask) -> Reconstruction:
        """Reconstruct a batch.

        Args:
            images: float32 [b, 3, h, w] in [0, 1], h and w the mask's rows and cols times the
                model's patch.
            mask: b masks or one for all, with the model's patch; each must hide some patches and
                show some. Counts may differ. A grid other than the model's own is answered with
                interpolated positions, and a note says so.

        Raises:
            BadInput: anything else.
        """
        pictures, grid = _checked_images(images), _checked_grid(mask)
        self._check_fit(grid, (pictures.shape[2], pictures.shape[3]))
        hidden = _checked_cells(mask, len(pictures))
        with threads_for(self._work(hidden)):
            _check_range(pictures)
            patches = patchify(pictures.to(self.device), grid.patch)
            answer = self._answer(patches, hidden, grid)
            layout = (grid.rows, grid.cols, grid.patch)
            seen = torch.from_numpy(~hidden).unsqueeze(-1).to(self.device)
            composite = torch.where(seen, patches, answer.patches)
            return Reconstruction(
                pixels=_delivered(unpatchify(answer.patches, *layout)),
                composite=_delivered(unpatchify(composite, *layout)),
                error=_delivered(answer.error.reshape(-1, grid.rows, grid.cols)),
                loss=answer.loss,
                activations={
                    "latent": _delivered(answer.latent),
                    "prediction": _delivered(answer.raw),
                },
                notes=self._notes_on(grid),
            )

    def reconstruct_picture(self, picture: NDArray[np.uint8], mask: Mask) -> ReconstructedPicture:
        """Reconstruct one picture in bytes; what `__call__` gives, without conversions between.

        Args:
            picture: uint8 [h, w, 3].
            mask: one mask, see `__call__`.

        Raises:
            BadInput: see `__call__`.
        """
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
            raise BadInput(
                f"the picture is {picture.dtype} {list(picture.shape)}, wanted uint8 "
                "[h, w, 3]; convert it to RGB bytes."
            )
        grid = _checked_grid(mask)
        self._check_fit(grid, (picture.shape[0], picture.shape[1]))
        hidden = _checked_cells(mask, 1)
        rows, cols, p = grid.rows, grid.cols, grid.patch
        cut = picture.reshape(rows, p, cols, p, 3).swapaxes(1, 2).reshape(1, rows * cols, -1)
        with threads_for(self._work(hidden)):
            patches = torch.from_numpy(cut).to(self.device).float().div_(255)
            answer = self._answer(patches, hidden, grid)
            said = (answer.patches * 255).round_().to(torch.uint8).cpu().numpy()
        pasted = np.where(hidden[..., None], said, cut)
        pixels, composite = (
            x.reshape(rows, cols, p, p, 3).swapaxes(1, 2).reshape(rows * p, cols * p, 3)
            for x in (said, pasted)
        )
        error = answer.error.reshape(rows, cols).cpu().numpy()
        return ReconstructedPicture(pixels, composite, error, answer.loss, self._notes_on(grid))

    @torch.inference_mode()
    def hidden_patches(self, patches: Tensor, hidden: NDArray[np.bool_], grid: Grid) -> Tensor:
        """What a model without norm-pix says of hidden patches alone, as fast as it can.

        Takes one picture's patches [1, n, p] in [0, 1] on `device`, and bool [b, n] of which every
        row hides equally many, k. Returns float32 [b, k, p] in [0, 1], patches in picture order.
        Uses as many threads as the caller has set.
        """
        visible = hidden.shape[1] - int(hidden[0].sum())
        order = torch.from_numpy(np.argsort(hidden, axis=1, kind="stable")).to(self.device)
        inputs = ((patches - self._mean) / self._std).to(self._dtype).expand(len(hidden), -1, -1)
        model = self._model_for((grid.rows, grid.cols))
        raw = model(inputs, order[:, :visible], order[:, visible:]).float()
        return torch.addcmul(self._mean, raw, self._std).clamp_(0, 1)

    def _work(self, hidden: NDArray[np.bool_]) -> float:
        """Multiply-adds of a call on the CPU, roughly: each weight once a token."""
        return float(self.weights * hidden.size) if self.device.type == "cpu" else 0.0

    @torch.inference_mode()
    def _answer(self, patches: Tensor, hidden: NDArray[np.bool_], grid: Grid) -> _Answer:
        """Answer patches float32 [b, n, p] in [0, 1] where `hidden` is bool [b, n]."""
        model = self._model_for((grid.rows, grid.cols))
        inputs = (patches - self._mean) / self._std
        raw, latent = self._run(model, inputs, hidden)
        at = torch.from_numpy(np.flatnonzero(hidden)).to(self.device)
        targets = patch_targets(inputs.flatten(0, 1)[at], self.norm_pix)
        loss = float((raw.flatten(0, 1)[at] - targets).square().mean())
        if not np.isfinite(loss):
            raise BadInput(
                f"the model's loss is {loss} in {self.precision}, wanted a number; its weights are "
                "damaged or too large for this precision, try fp32."
            )
        said = self._undo_norm_pix(raw, inputs, hidden, grid) if self.norm_pix else raw
        said = torch.addcmul(self._mean, said, self._std).clamp_(0, 1)
        error = (said - patches).square_().mean(-1)
        return _Answer(said, raw, error, latent, loss)

    def _run(
        self, model: MaskedAutoencoder, inputs: Tensor, hidden: NDArray[np.bool_]
    ) -> tuple[Tensor, Tensor]:
        """Run images that hide equally many patches together; float32 in picture order."""
        counts, n = hidden.sum(1), hidden.shape[1]
        order = torch.from_numpy(np.argsort(hidden, axis=1, kind="stable")).to(self.device)
        parts = [
            np.flatnonzero(counts == count)[first : first + CHUNK]
            for count in np.unique(counts)
            for first in range(0, int((counts == count).sum()), CHUNK)
        ]
        if len(parts) == 1:
            return self._ask(model, inputs, order, n - int(counts[0]))
        raw = torch.empty_like(inputs)
        width = self._shape.prefix + n - int(counts.min())
        latent = inputs.new_full((len(inputs), width, self._shape.dim), torch.nan)
        for part in parts:
            rows = torch.from_numpy(part).to(self.device)
            said, kept = self._ask(model, inputs[rows], order[rows], n - int(counts[part[0]]))
            raw[rows] = said
            latent[rows, : kept.shape[1]] = kept
        return raw, latent

    def _ask(
        self, model: MaskedAutoencoder, inputs: Tensor, order: Tensor, visible: int
    ) -> tuple[Tensor, Tensor]:
        """Prediction and latent, float32, where the first `visible` patches of `order` are seen."""
        kept: dict[str, Tensor] = {}
        said = model(
            inputs.to(self._dtype),
            order[:, :visible],
            order[:, visible:],
            everything=True,
            activations=kept,
        )
        return said.float(), kept["latent"].float()

    def _undo_norm_pix(
        self, raw: Tensor, inputs: Tensor, hidden: NDArray[np.bool_], grid: Grid
    ) -> Tensor:
        """Give patches their mean and spread back: their own where visible, else estimated."""
        statistics = torch.cat(patch_statistics(inputs), dim=-1)
        if self.statistics == "visible":
            filled = [
                spread_over_hidden(values, cells, grid.rows, grid.cols)
                for values, cells in zip(statistics, hidden, strict=True)
            ]
            statistics = torch.stack(filled)
        return raw * statistics[..., 1:] + statistics[..., :1]

    def _model_for(self, grid: tuple[int, int]) -> MaskedAutoencoder:
        """The model with positions for `grid`; grids share every other weight."""
        model = self._models.get(grid)
        if model is None:
            old = (self._shape.rows, self._shape.cols)
            encoder = stretch_positions(self._tables[0], old, grid)
            decoder = stretch_positions(self._tables[1], old, grid, self._stretch)
            shape = replace(self._shape, rows=grid[0], cols=grid[1])
            places = (x.to(self.device, self._dtype) for x in (encoder, decoder))
            model = moved_to(self._own, shape, *places)
            while len(self._models) >= GRIDS_KEPT:
                self._models.pop(next(iter(self._models)), None)
            self._models[grid] = model
        return model

    def _check_fit(self, grid: Grid, size: tuple[int, int]) -> None:
        own = self.grid
        if grid.frames is not None or grid.domain != "image" or grid.patch != own.patch:
            raise BadInput(
                f"the mask is on {grid}, wanted an image grid with patch={own.patch}; "
                f"take Grid({own.rows}, {own.cols}, patch={own.patch})."
            )
        if grid.pixels != size:
            raise BadInput(
                f"the images are {size[0]} x {size[1]} px but the mask covers {grid.pixels[0]} x "
                f"{grid.pixels[1]} px; fit them to the model's {self.size[0]} x {self.size[1]} px "
                f"and take Grid({own.rows}, {own.cols}, patch={own.patch})."
            )
        if grid.size > MAX_PATCHES:
            raise BadInput(
                f"the mask has {grid.size} patches, wanted at most {MAX_PATCHES}; shrink the image."
            )

    def _notes_on(self, grid: Grid) -> tuple[str, ...]:
        if grid == self.grid:
            return self.notes
        how = {
            "plane": "its positions are interpolated",
            "line": "its encoder's positions are interpolated in the plane and its decoder's along "
            "the flattened sequence, as transformers does",
        }[self._stretch]
        note = (
            f"The model was trained on {self.grid.rows} x {self.grid.cols} patches and is shown "
            f"{grid.rows} x {grid.cols}: {how}."
        )
        return (*self.notes, note)


def _delivered(tensor: Tensor) -> Tensor:
    """An ordinary tensor on the CPU; those of inference mode refuse to be changed or trained on."""
    return tensor.clone() if tensor.device.type == "cpu" else tensor.cpu()


def _norm_pix_notes(norm_pix: bool | None, statistics: Statistics) -> tuple[str, ...]:
    if norm_pix is None:
        return (
            "The file does not say whether the model predicts pixels or pixels normalised patch by "
            "patch; pixels are assumed: if hidden patches look flat and grey, load it with "
            "norm_pix=True.",
        )
    if not norm_pix:
        return ()
    if statistics == "true":
        return (
            "Leak: the model predicts patches without their brightness and contrast, and this "
            "picture takes both from the hidden patches themselves.",
        )
    return (
        "The model predicts patches without their brightness and contrast; inside the holes both "
        "are estimated from the visible patches around.",
    )


def _checked_grid(mask: Mask) -> Grid:
    if not isinstance(mask, Mask):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise BadInput(
            f"mask is a {type(mask).__name__}, wanted a workbench.masks.Mask; "
            "make one with Mask(hidden, Grid(rows, cols, patch=patch))."
        )
    return mask.grid


def _checked_images(images: Tensor | NDArray[np.float32]) -> Tensor:
    if not isinstance(images, Tensor | np.ndarray):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise BadInput(
            f"images is a {type(images).__name__}, wanted a float32 array or tensor [b, 3, h, w]; "
            "stack pictures with numpy."
        )
    if images.dtype not in (torch.float32, np.float32):
        raise BadInput(
            f"images are {str(images.dtype).removeprefix('torch.')}, wanted float32 in [0, 1]; "
            "convert them, and divide bytes by 255."
        )
    if isinstance(images, Tensor):
        tensor = images.detach()
    else:  # torch warns about arrays that it could write to but should not
        tensor = torch.from_numpy(np.require(images, requirements=["C", "W"]))
    if tensor.ndim != 4 or tensor.shape[1] != 3 or 0 in tensor.shape:
        raise BadInput(
            f"images have shape {list(tensor.shape)}, wanted [b, 3, h, w] with b of 1 or more; "
            "add the batch axis with images[None] or move the channels to the front."
        )
    return tensor


def _check_range(tensor: Tensor) -> None:
    low, high = (float(x) for x in torch.aminmax(tensor))
    if not (low >= 0 and high <= 1):
        raise BadInput(
            f"images hold values from {low:.4g} to {high:.4g}, wanted [0, 1]; "
            "scale or clip them, without NaN and without ImageNet normalisation."
        )


def _checked_cells(mask: Mask, batch: int) -> NDArray[np.bool_]:
    """The mask as bool [b, n]; every row hides something and shows something."""
    if len(mask) not in (1, batch):
        raise BadInput(
            f"{len(mask)} masks came with {batch} images, wanted {batch} or 1; take as many."
        )
    counts, n = mask.counts, mask.grid.size
    for i in np.flatnonzero((counts == 0) | (counts == n)).tolist():
        what = "no patch" if counts[i] == 0 else "every patch"
        need = "a hidden" if counts[i] == 0 else "a visible"
        raise BadInput(
            f"mask {i} hides {what} ({counts[i]} of {n}) but the model needs {need} one; "
            f"hide from 1 to {n - 1} patches."
        )
    return np.broadcast_to(mask.hidden.reshape(len(mask), n), (batch, n))
