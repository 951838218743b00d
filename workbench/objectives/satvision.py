"""SimMIM on pictures of many bands: hide units in all of them, or in some (SatVision-TOA)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, cast

import torch
from torch import Tensor, nn

from workbench.masks import Grid, Mask, Strategy
from workbench.models.bands import BandEncoder
from workbench.models.initial import initialise
from workbench.models.patches import patchify, unpatchify
from workbench.objectives.objective import (
    Batch,
    EncoderShape,
    Loss,
    Measured,
    Objective,
    Takes,
    flags,
)
from workbench.objectives.pictures import grey, stacked
from workbench.objectives.sized import other
from workbench.params import Knob


@dataclass(frozen=True, kw_only=True)
class Satvision(Objective):
    """Mean absolute error on hidden pixels of all bands, in units of each band's spread.

    Hidden patches give way to a learnt token, and one linear layer predicts patch * patch * bands
    numbers a patch. The same patches are hidden in every band; with `bandwise` a frame of the mask
    is a band, so that it may be told from the others, and each hidden band has a token of its own
    in the sum that makes a patch's embedding.

    Spradlin et al., SatVision-TOA: SimMIM on 14 bands of 128 x 128 pixels, crops of 0.67 to 1;
    official file `pytorch_caney/data/transforms.py`. There the encoder is a SwinV2, here a ViT.
    """

    paper: ClassVar[str] = "arXiv:2411.17000"
    takes: ClassVar[Takes] = "bands"
    default_mask: ClassVar[str] = "units(ratio=0.6, unit=2)"
    equal_counts: ClassVar[bool] = False
    frames: ClassVar[str] = "band time"
    metric: ClassVar[str] = "absolute error on hidden pixels, beside the mean of what is seen"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = other(
        "bands_satvision", 1700, 40_000, "drawn_bands(count=1000, bands=14)",
        "drawn_bands(count=10000, bands=14)", crop=0.67,
    )  # fmt: skip

    bandwise: Annotated[bool, Knob("masks hide single bands", fixed=True)] = False

    def build(self, shape: EncoderShape, seed: int) -> BandEncoder:
        """A ViT over all patches with a token for hidden bands, and a linear head."""
        model = BandEncoder(shape.vit, shape.channels)
        initialise(model, seed)
        return model

    def prepare(self, model: nn.Module, images: Tensor, seed: int) -> None:
        """Take the units of the bands from the data."""
        cast(BandEncoder, model).standard.fit(images)

    def grid(self, shape: EncoderShape) -> Grid:
        """One plane for all bands, or a frame a band."""
        count = shape.channels if self.bandwise else None
        return Grid(shape.rows, shape.cols, patch=shape.patch, frames=count)

    def refuses(self, strategy: Strategy) -> str | None:
        """Masks of frames need bands of their own."""
        if strategy.frames and not self.bandwise:
            return (
                f"{strategy.name} hides by {strategy.frames}; take satvision(bandwise=True) for it"
            )
        return super().refuses(strategy)

    def loss(self, model: nn.Module, batch: Batch, mask: Mask, step: int, progress: float) -> Loss:
        """Mean over hidden pixels of all bands."""
        weight = self._hidden(model, mask, batch).float()
        error = (self.predictions(model, batch, mask) - self._patches(model, batch)).abs()
        return Loss((error.mean(2) * weight).sum() / weight.sum().clamp_min(1))

    def _hidden(self, model: nn.Module, mask: Mask, batch: Batch) -> Tensor:
        """What is hidden, bool [b, n, bands]."""
        bands = cast(BandEncoder, model).bands
        found = flags(mask, batch.images)
        if mask.grid.frames is None:
            return found.unsqueeze(-1).expand(-1, -1, bands)
        return found.unflatten(1, (bands, -1)).transpose(1, 2)

    def _patches(self, model: nn.Module, batch: Batch) -> Tensor:
        """Bands in their own units, [b, n, patch * patch, bands]."""
        own = cast(BandEncoder, model)
        flat = patchify(own.standard(batch.images), own.encoder.shape.patch)
        return flat.unflatten(-1, (-1, own.bands))

    def predictions(self, model: nn.Module, batch: Batch, mask: Mask) -> Tensor:
        """What is said of all patches, float32 [b, n, patch * patch, bands]."""
        hidden, own = self._hidden(model, mask, batch), cast(BandEncoder, model)
        return own(self._patches(model, batch), hidden).float()

    def measures(self, model: nn.Module, batch: Batch, mask: Mask) -> dict[str, Measured]:
        """All bands, then each; beside the band's mean in the data, and over what is seen of it."""
        truth, hidden = self._patches(model, batch), self._hidden(model, mask, batch)
        weight = hidden.unsqueeze(2).float()
        seen = (truth * (1 - weight)).sum((1, 2)) / (
            (1 - weight).sum((1, 2)).clamp_min(1) * truth.shape[2]
        )
        guesses = {
            "mean of what is seen": seen[:, None, None].expand_as(truth),
            "mean of the data": torch.zeros_like(truth),
        }

        def errors(said: Tensor) -> Tensor:  # [b, bands], NaN where a band hides nothing
            found = ((said - truth).abs() * weight).mean(2).sum(1)
            count = weight.sum((1, 2))
            return (found / count.clamp_min(1)).masked_fill(count == 0, torch.nan)

        own = errors(self.predictions(model, batch, mask))
        beside = {who: errors(each) for who, each in guesses.items()}
        found = {
            "all bands": Measured(own.nanmean(1), {k: v.nanmean(1) for k, v in beside.items()})
        }
        for i in range(own.shape[1]):
            told = {who: each[:, i] for who, each in beside.items()}
            if not own[:, i].isnan().all():
                found[f"band {i + 1}"] = Measured(own[:, i], told)
        return found

    def picture(self, model: nn.Module, batch: Batch, mask: Mask) -> dict[str, Tensor]:
        """Bands below each other: as they are, what was seen of them, and the paste-back."""
        own, truth = cast(BandEncoder, model), self._patches(model, batch)
        shape, where = own.encoder.shape, self._hidden(model, mask, batch).unsqueeze(2)
        said = self.predictions(model, batch, mask).where(where, truth)

        def shown(patches: Tensor) -> Tensor:
            whole = unpatchify(patches.flatten(2), shape.rows, shape.cols, shape.patch)
            return stacked(grey(own.standard.undone(whole)))

        seen = shown(truth.masked_fill(where, 0))
        return {"original": shown(truth), "seen": seen, "reconstruction": shown(said)}

    def features(self, model: nn.Module, images: Tensor) -> Tensor:
        """Mean patch token with nothing hidden, [b, c, h, w] to [b, d]."""
        own = cast(BandEncoder, model)
        patches = patchify(own.standard(images), own.encoder.shape.patch)
        nothing = torch.zeros(*patches.shape[:2], own.bands, dtype=torch.bool, device=images.device)
        return own.tokens(patches.unflatten(-1, (-1, own.bands)), nothing).mean(1)
