"""Predict hidden cubes of short clips, at positions that a second mask gives the decoder."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, cast

import numpy as np
import torch
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.masks import Grid, Mask
from workbench.models.mae import MaskedAutoencoder
from workbench.models.transformer import gather_tokens
from workbench.models.volumes import (
    ClipAutoencoder,
    cube_statistics,
    cubes,
    uncubed,
    volume_positions,
)
from workbench.objectives.decoding import DecoderKnobs, NormPix
from workbench.objectives.objective import (
    Batch,
    EncoderShape,
    Loss,
    Measured,
    Objective,
    Takes,
    flags,
    indices,
)
from workbench.objectives.pictures import stacked
from workbench.objectives.sized import other
from workbench.params import Knob


@dataclass(frozen=True, kw_only=True)
class Videomae(DecoderKnobs, NormPix, Objective):
    """Mean squared error on cubes that are hidden and decoded; a cube spans `tube` frames.

    The encoder reads visible cubes. The decoder gets the positions of the mask's second part, where
    it has one (`running_cells`, the dual masks of V2), otherwise all hidden ones; positions that
    are decoded but not hidden enter it a second time and have no loss, as in the official code.
    With `norm_pix` a cube is normalised colour by colour. Positions are fixed sines of place and
    time (officially of the cell's number).

    Wang et al., VideoMAE V2; official files `engine_for_pretraining.py`,
    `dataset/masking_generator.py`, `models/modeling_pretrain.py`.
    """

    paper: ClassVar[str] = "arXiv:2303.16727"
    must_hold: ClassVar[tuple[str, ...]] = ("hidden",)
    takes: ClassVar[Takes] = "clips"
    default_mask: ClassVar[str] = "running_cells(ratio=0.9)"
    frames: ClassVar[str] = "time"
    metric: ClassVar[str] = "squared error on hidden cubes, beside what neighbouring frames show"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = other(
        "clips_videomae", 1200, 40_000, "drawn_clips(count=300)", "drawn_clips(count=3000)",
    )  # fmt: skip

    tube: Annotated[int, Knob("frames of a cube", 1, 16, 1, soft_maximum=4, fixed=True)] = 2

    def build(self, shape: EncoderShape, seed: int) -> ClipAutoencoder:
        """MAE's two parts over cubes.

        Raises:
            BadInput: the frames of a clip do not fill whole cubes.
        """
        slots = self._slots(shape)
        whole = replace(shape.vit, rows=slots * shape.rows)
        model = ClipAutoencoder(whole, self.decoder, 3 * self.tube)
        model.initialise(seed)
        for table in (model.encoder.pos_embed, model.decoder_pos_embed):
            prefix = table.shape[1] - whole.tokens
            size = (slots, shape.rows, shape.cols)
            table.data.copy_(volume_positions(table.shape[-1], *size, prefix))
        return model

    def _slots(self, shape: EncoderShape) -> int:
        frames = shape.frames or 1
        if frames % self.tube:
            raise BadInput(
                f"videomae: clips have {frames} frames, but cubes span {self.tube}; take clips of "
                f"{frames - frames % self.tube or self.tube} frames, or tube=1."
            )
        return frames // self.tube

    def grid(self, shape: EncoderShape) -> Grid:
        """A frame of the grid is a slot of `tube` frames."""
        return Grid(shape.rows, shape.cols, patch=shape.patch, frames=self._slots(shape))

    def decoded(self, mask: Mask, like: Tensor) -> Tensor:
        """The cells that the decoder gets, int64 [b, m].

        Raises:
            BadInput: their number differs within the batch.
        """
        if mask.targets is None:
            return indices(mask, like)[1]
        wanted = np.any(mask.targets, axis=1)
        counts = wanted.reshape(len(mask), -1).sum(1)
        if counts.min() != counts.max():
            raise BadInput(
                f"videomae: between {counts.min()} and {counts.max()} cells are decoded, but equal "
                "counts are needed; take an even number of rows and columns, or a multiple of four "
                "slots of time."
            )
        return indices(Mask(wanted, mask.grid), like)[1]

    def loss(self, model: nn.Module, batch: Batch, mask: Mask, step: int, progress: float) -> Loss:
        """Mean over cells that are hidden and decoded."""
        error, weight = self._errors(model, batch, mask)
        return Loss((error * weight).sum() / weight.sum().clamp_min(1))

    def _errors(self, model: nn.Module, batch: Batch, mask: Mask) -> tuple[Tensor, Tensor]:
        """Error of each decoded cell, and whether it is hidden, float32 [b, m] each."""
        wanted = self.decoded(mask, batch.images)
        said = self.predictions(model, batch, mask).float()
        target = self.target(gather_tokens(self._cubes(model, batch), wanted))
        return (said - target).square().mean(-1), flags(mask, said).gather(1, wanted).float()

    def target(self, values: Tensor) -> Tensor:
        """What should be said of cubes [b, n, p]."""
        if not self.norm_pix:
            return values
        mean, spread = cube_statistics(values)
        return ((values.unflatten(-1, (-1, 3)) - mean) / spread).flatten(-2)

    def _cubes(self, model: nn.Module, batch: Batch) -> Tensor:
        return cubes(batch.images - 0.5, cast(MaskedAutoencoder, model).shape.patch, self.tube) * 4

    def predictions(self, model: nn.Module, batch: Batch, mask: Mask) -> Tensor:
        """Decoded cells, [b, m, patch * patch * tube * 3]."""
        return self._said(model, batch, mask, self.decoded(mask, batch.images))

    def _said(self, model: nn.Module, batch: Batch, mask: Mask, wanted: Tensor) -> Tensor:
        own, visible = cast(MaskedAutoencoder, model), indices(mask, batch.images)[0]
        return own.decode(own.encoder(self._cubes(model, batch), visible), visible, wanted)

    def measures(self, model: nn.Module, batch: Batch, mask: Mask) -> dict[str, Measured]:
        """All hidden cubes, beside their mean and beside a copy of the slot before (or after).

        The copy is the true neighbour, of which the network sees nothing under tubes.
        """
        hidden = indices(mask, batch.images)[1]
        whole = self.target(self._cubes(model, batch))
        target = gather_tokens(whole, hidden)
        slots = mask.grid.frames or 1
        frames = whole.unflatten(1, (slots, -1))
        before = torch.cat([frames[:, 1:2], frames[:, :-1]], dim=1) if slots > 1 else frames * 0
        copied = gather_tokens(before.flatten(1, 2), hidden)
        said = self._said(model, batch, mask, hidden)

        def error(guess: Tensor) -> Tensor:
            return (guess.float() - target).square().mean((1, 2))

        mean = "mean of the cube" if self.norm_pix else "grey"
        beside = {"true neighbouring slot": error(copied), mean: error(target * 0)}
        return {"hidden cubes": Measured(error(said), beside)}

    def picture(self, model: nn.Module, batch: Batch, mask: Mask) -> dict[str, Tensor]:
        """Frames below each other: the clip, what was seen, and the paste-back.

        With `norm_pix` the true mean and spread of each hidden cube are put back.
        """
        own, hidden = cast(MaskedAutoencoder, model), indices(mask, batch.images)[1]
        values = self._cubes(model, batch)
        said = self._said(model, batch, mask, hidden).float()
        if self.norm_pix:
            mean, spread = cube_statistics(gather_tokens(values, hidden))
            said = (said.unflatten(-1, (-1, 3)) * spread + mean).flatten(-2)
        index = hidden.unsqueeze(-1).expand(-1, -1, values.shape[-1])
        slots = mask.grid.frames or 1

        def shown(filling: Tensor) -> Tensor:
            whole = values.scatter(1, index, filling) / 4 + 0.5
            size = (slots, own.shape.rows // slots, own.shape.cols, own.shape.patch, self.tube)
            return stacked(uncubed(whole, *size))

        seen, done = shown(torch.zeros_like(said)), shown(said)
        return {"original": stacked(batch.images), "seen": seen, "reconstruction": done}

    def features(self, model: nn.Module, images: Tensor) -> Tensor:
        """Mean cube token of a clip [b, frames, 3, h, w], or of a picture that stands still."""
        own = cast(MaskedAutoencoder, model)
        if images.ndim == 4:
            count = own.shape.rows * own.shape.patch // images.shape[-2] * self.tube
            images = images.unsqueeze(1).expand(-1, count, -1, -1, -1)
        values = cubes(images - 0.5, own.shape.patch, self.tube) * 4
        return own.encoder(values)[:, own.shape.prefix :].mean(1)
