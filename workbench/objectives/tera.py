"""Undo alterations of a spectrogram in time, frequency and strength (TERA)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from workbench.masks import Grid, Mask
from workbench.models.frames_in_time import SpectrogramEncoder
from workbench.models.initial import initialise
from workbench.objectives.objective import (
    Batch,
    EncoderShape,
    Loss,
    Measured,
    Objective,
    Takes,
    flags,
)
from workbench.objectives.pictures import grey
from workbench.objectives.sized import other
from workbench.params import Knob

DICE, PLACES, STRENGTH = 0, 1, 2


@dataclass(frozen=True, kw_only=True)
class Tera(Objective):
    """Mean absolute error on what is hidden, in units of the data's spread.

    Masks are drawn on single cells of the spectrogram. Hidden columns are the time alteration: one
    dice a sound sets them to 0 in the share `zeros`, puts other columns of the sound there in the
    share `swapped`, and leaves them as they are in the rest. The bands, rows in which other cells
    are hidden, are set to 0 after that, in those columns too. With chance `noisy` normal noise of
    spread 0.2 is added everywhere, which adds nothing to the loss. The loss stands on all hidden
    cells, touched or not, and on a mask's own targets. What `predictions` says has all hidden cells
    at 0.

    Liu et al., TERA; official file `s3prl/pretrain/mockingjay/task.py`.
    """

    paper: ClassVar[str] = "arXiv:2007.06028"
    takes: ClassVar[Takes] = "spectrograms"
    shareable: ClassVar[bool] = False
    default_mask: ClassVar[str] = "layers(a=time_span(ratio=0.15), b=band(share=0.2))"
    equal_counts: ClassVar[bool] = False
    metric: ClassVar[str] = "absolute error on hidden cells, beside interpolation"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = other(
        "sounds_tera", 1300, 60_000, "drawn_sounds(count=1000)", "drawn_sounds(count=20000)",
        size=64, patch=1, crop=1.0, flip=False,
    )  # fmt: skip

    zeros: Annotated[float, Knob("share of sounds whose hidden columns are 0", 0, 1, 0.05)] = 0.8
    swapped: Annotated[float, Knob("share with other columns there", 0, 1, 0.05)] = 0.1
    noisy: Annotated[float, Knob("share of sounds with noise added", 0, 1, 0.05)] = 0.15

    def build(self, shape: EncoderShape, seed: int) -> SpectrogramEncoder:
        """A transformer over columns."""
        model = SpectrogramEncoder(shape.vit)
        initialise(model, seed)
        return model

    def prepare(self, model: nn.Module, images: Tensor, seed: int) -> None:
        """Take the units from the data."""
        cast(SpectrogramEncoder, model).standard.fit(images)

    def grid(self, shape: EncoderShape) -> Grid:
        """Single cells: rows are mel bands, columns windows of time."""
        return Grid(*shape.size, patch=1)

    def encoder(self, model: nn.Module) -> nn.Module:
        """All of it; the head is small."""
        return model

    def loss(self, model: nn.Module, batch: Batch, mask: Mask, step: int, progress: float) -> Loss:
        """Mean over the positions of `counted`."""
        values, where = self._values(model, batch), counted(mask, batch.images)
        said = cast(SpectrogramEncoder, model)(self.altered(values, mask, batch)).float()
        error = (said - values).abs() * where
        return Loss(error.sum() / where.sum().clamp_min(1))

    def _values(self, model: nn.Module, batch: Batch) -> Tensor:
        return cast(SpectrogramEncoder, model).standard(batch.images)[:, 0]

    def altered(self, values: Tensor, mask: Mask, batch: Batch) -> Tensor:
        """What the network reads in training, [b, bands, time]."""
        b, bands, time = values.shape
        hidden = flags(mask, values).view_as(values)
        columns = hidden.all(1)
        dice, u = batch.noise.uniform(2, DICE).T, batch.noise.uniform(time, PLACES)
        zero = torch.from_numpy(dice[0] < self.zeros).to(values.device)
        swap = torch.from_numpy((dice[0] >= self.zeros) & (dice[0] < self.zeros + self.swapped))
        places = torch.from_numpy((u * time).astype(np.int64)).to(values.device)
        others = values.gather(2, places[:, None].expand(-1, bands, -1))
        whole = columns[:, None].expand_as(hidden)
        bands_hidden = hidden & (hidden & ~whole).any(2, keepdim=True)
        out = values.masked_fill(whole & zero[:, None, None], 0)
        out = torch.where(whole & swap.to(values.device)[:, None, None], others, out)
        out = out.masked_fill(bands_hidden, 0)
        loud = torch.from_numpy((dice[1] < self.noisy).astype(np.float32)).to(values.device)
        noise = torch.from_numpy(batch.noise.normal(bands * time, STRENGTH)).to(values.device)
        return out + 0.2 * loud[:, None, None] * noise.view(b, bands, time)

    def predictions(self, model: nn.Module, batch: Batch, mask: Mask) -> Tensor:
        """The whole spectrogram from one whose hidden cells are 0, [b, bands, time]."""
        values = self._values(model, batch)
        hidden = flags(mask, values).view_as(values)
        return cast(SpectrogramEncoder, model)(values.masked_fill(hidden, 0))

    def measures(self, model: nn.Module, batch: Batch, mask: Mask) -> dict[str, Measured]:
        """Hidden cells at 0; beside straight lines in time, across bands where a band is hidden."""
        values, where = self._values(model, batch), flags(mask, batch.images)
        where = where.view_as(values)
        count = where.sum((1, 2))

        def error(said: Tensor) -> Tensor:
            wrong = ((said - values).abs() * where).sum((1, 2)) / count.clamp_min(1)
            return wrong.masked_fill(count == 0, torch.nan)

        lines = interpolated(values.cpu().numpy(), where.cpu().numpy())
        beside = {
            "interpolation": error(torch.from_numpy(lines).to(values)),
            "mean of the data": error(torch.zeros_like(values)),
        }
        return {"hidden cells": Measured(error(self.predictions(model, batch, mask)), beside)}

    def picture(self, model: nn.Module, batch: Batch, mask: Mask) -> dict[str, Tensor]:
        """The spectrogram, what was to be seen of it, and the paste-back; high sounds above."""
        own, values = cast(SpectrogramEncoder, model), self._values(model, batch)
        hidden = flags(mask, values).view_as(values)
        said = self.predictions(model, batch, mask).where(hidden, values)

        def shown(found: Tensor) -> Tensor:
            return grey(own.standard.undone(found.unsqueeze(1))[:, 0])

        seen = shown(values).masked_fill(hidden[:, None], 0)
        return {"original": shown(values), "seen": seen, "reconstruction": shown(said)}

    def features(self, model: nn.Module, images: Tensor) -> Tensor:
        """Mean token over time, [b, 1, bands, time] to [b, d]."""
        own = cast(SpectrogramEncoder, model)
        return own.tokens(own.standard(images[:, :1])[:, 0]).mean(1)


def counted(mask: Mask, like: Tensor) -> Tensor:
    """Cells with a loss, bool [b, bands, time]: hidden ones, and a mask's targets."""
    cells = mask.hidden if mask.targets is None else mask.hidden | mask.targets.any(1)
    return torch.from_numpy(cells.copy()).to(like.device)


def interpolated(values: NDArray[Any], hidden: NDArray[np.bool_]) -> NDArray[Any]:
    """Fill hidden cells [b, bands, time] by straight lines: in time, else across bands, else 0."""
    out = np.where(hidden, 0, values)
    for row, where in zip(out, hidden, strict=True):
        known = ~where.all(1)
        for band in np.flatnonzero(where.any(1) & known):
            gaps = np.flatnonzero(where[band])
            row[band, gaps] = np.interp(gaps, np.flatnonzero(~where[band]), row[band, ~where[band]])
        if known.any():
            for band in np.flatnonzero(~known):
                at = np.flatnonzero(known)
                above, below = at[at < band], at[at > band]
                ends = [*above[-1:], *below[:1]]
                weight = [abs(int(band) - int(end)) for end in ends][::-1]
                row[band] = np.average(row[ends], axis=0, weights=weight)
    return out
