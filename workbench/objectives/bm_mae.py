"""Bands as modalities, any of which may be missing: one encoder, and a head a band (BM-MAE)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import numpy as np
import torch
from torch import Tensor, nn

from workbench.masks import Grid, Mask
from workbench.models.initial import initialise
from workbench.models.patches import patchify, unpatchify
from workbench.models.standard import Standard
from workbench.models.streams import StreamDecoder, Streams
from workbench.objectives.decoding import DecoderKnobs
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
from workbench.objectives.pictures import grey, stacked
from workbench.objectives.sized import other


@dataclass(frozen=True, kw_only=True)
class BmMae(DecoderKnobs, Objective):
    """Mean squared error on hidden patches of all bands; each band is a modality.

    One encoder reads the visible patches of all bands, each with an embedding of its own and a
    learnt token that names the band; a decoder a band asks all of them. A missing band is one of
    which nothing is visible: the others are encoded as if it did not exist. Values are in units of
    a band's own spread over the training data.

    Robinet et al., BM-MAE, there on four sequences of three-dimensional MRI. Its code was not at
    hand: this is our reading, with MultiMAE's budget and decoders, on bands of plane pictures.
    """

    paper: ClassVar[str] = "arXiv:2505.00568"
    must_hold: ClassVar[tuple[str, ...]] = ("visible",)
    takes: ClassVar[Takes] = "bands"
    default_mask: ClassVar[str] = "dirichlet_budget(ratio=0.75)"
    frames: ClassVar[str] = "modality band"
    metric: ClassVar[str] = "squared error of a band that is missing, told from all the others"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = other(
        "bands_bm_mae", 1300, 40_000, "drawn_bands(count=1000, bands=4)",
        "drawn_bands(count=10000, bands=4)",
    )  # fmt: skip

    def build(self, shape: EncoderShape, seed: int) -> Streams:
        """The encoder, `decoders` one a band, and `standard`, the bands' units."""
        count = shape.channels
        model = Streams(shape.vit, [1] * count, named=True)
        model.decoders = nn.ModuleList(
            StreamDecoder(shape.vit, self.decoder, count, i, shape.patch**2) for i in range(count)
        )
        model.standard = Standard(count)
        initialise(model, seed)
        return model

    def prepare(self, model: nn.Module, images: Tensor, seed: int) -> None:
        """Take the units of the bands from the data."""
        cast(Standard, cast(Streams, model).standard).fit(images)

    def grid(self, shape: EncoderShape) -> Grid:
        """A frame of the grid is a band."""
        return Grid(shape.rows, shape.cols, patch=shape.patch, frames=shape.channels)

    def loss(self, model: nn.Module, batch: Batch, mask: Mask, step: int, progress: float) -> Loss:
        """Mean over hidden patches of all bands."""
        error = (self.predictions(model, batch, mask) - self._patches(model, batch)).square()
        weight = flags(mask, error).unflatten(1, error.shape[1:3]).float()
        return Loss((error.mean(-1) * weight).sum() / weight.sum().clamp_min(1))

    def _patches(self, model: nn.Module, batch: Batch) -> Tensor:
        """Bands in their own units as patches, [b, bands, n, patch * patch]."""
        own = cast(Streams, model)
        values = cast(Standard, own.standard)(batch.images)
        flat = patchify(values.flatten(0, 1).unsqueeze(1), own.encoder.shape.patch)
        return flat.unflatten(0, values.shape[:2])

    def predictions(self, model: nn.Module, batch: Batch, mask: Mask) -> Tensor:
        """All patches of all bands, float32 [b, bands, n, patch * patch]."""
        own, visible = cast(Streams, model), indices(mask, batch.images)[0]
        latent = own(list(self._patches(model, batch).unbind(1)), visible)
        decoders = cast(nn.ModuleList, own.decoders)
        return torch.stack([each(latent, visible).float() for each in decoders], dim=1)

    def measures(self, model: nn.Module, batch: Batch, mask: Mask) -> dict[str, Measured]:
        """Each band from all of the others, beside their mean and those of another picture."""
        truth, found = self._patches(model, batch), {}
        other_rows = Batch(batch.images.roll(1, 0), batch.ids)
        count = truth.shape[1]
        for i in range(count):
            hidden = mask.hidden.copy()
            hidden[:] = False
            hidden[:, i] = True
            whole = Mask(hidden, mask.grid)

            def error(said: Tensor, band: int = i) -> Tensor:
                return (said - truth[:, band]).square().mean((1, 2))

            others = (truth.sum(1) - truth[:, i]) / max(1, count - 1)
            beside = {
                "mean of the other bands": error(others),
                "mean of the band": error(others * 0),
                "from another picture": error(self.predictions(model, other_rows, whole)[:, i]),
            }
            said = error(self.predictions(model, batch, whole)[:, i])
            found[f"band {i + 1} missing"] = Measured(said, beside)
        values = torch.stack([each.values for each in found.values()]).mean(0)
        guesses = {
            who: torch.stack([each.beside[who] for each in found.values()]).mean(0)
            for who in next(iter(found.values())).beside
        }
        return {"a band missing, mean of all": Measured(values, guesses), **found}

    def picture(self, model: nn.Module, batch: Batch, mask: Mask) -> dict[str, Tensor]:
        """Bands below each other: as they are, what was seen of them, and the paste-back."""
        own = cast(Streams, model)
        shape, truth = own.encoder.shape, self._patches(model, batch)
        where = flags(mask, truth).unflatten(1, truth.shape[1:3]).unsqueeze(-1)
        said = self.predictions(model, batch, mask).where(where, truth)

        def shown(patches: Tensor) -> Tensor:
            whole = unpatchify(patches.flatten(0, 1), shape.rows, shape.cols, shape.patch)
            bands = whole.unflatten(0, truth.shape[:2]).squeeze(2)
            return stacked(grey(cast(Standard, own.standard).undone(bands)))

        seen = shown(truth.masked_fill(where, 0))
        return {"original": shown(truth), "seen": seen, "reconstruction": shown(said)}

    def features(self, model: nn.Module, images: Tensor) -> Tensor:
        """Mean token of all patches of all bands, [b, c, h, w] to [b, d]."""
        own = cast(Streams, model)
        maps = self._patches(model, Batch(images, np.arange(len(images))))
        cells = torch.arange(maps.shape[1] * maps.shape[2], device=images.device)
        return own(list(maps.unbind(1)), cells.expand(len(images), -1)).mean(1)
