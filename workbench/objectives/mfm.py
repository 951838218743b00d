"""Predict the frequencies that were removed from a picture (MFM)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, cast

import torch
from torch import Tensor, nn

from workbench.masks import Grid, Mask
from workbench.models.headed import HeadedEncoder
from workbench.models.initial import initialise
from workbench.models.patches import denormalise, normalise, patchify, unpatchify
from workbench.objectives.objective import Batch, EncoderShape, Loss, Objective
from workbench.objectives.sized import cifar10
from workbench.params import Knob

EPS = 1e-12


@dataclass(frozen=True, kw_only=True)
class Mfm(Objective):
    """L = mean over removed bins of |F(said) - F(picture)| ** gamma; the encoder has no mask token.

    Masks are drawn on the spectrum, one cell a bin. What the encoder reads is the picture without
    the hidden bins, cut to [0, 1] as the official loader does, which puts a little back into them;
    removed bins themselves never leak into it. The distance is sqrt(dRe^2 + dIm^2 + 1e-12) under an
    orthonormal transform, so an exact prediction of the removed bins costs 1e-6 ** gamma, not 0.

    The default radius of 3 is for pictures of 32 pixels; the paper's is 16 of 224.

    Xie et al., Masked Frequency Modeling; official files `models/mfm.py`, `frequency_loss.py`.
    """

    paper: ClassVar[str] = "arXiv:2206.07706"
    default_mask: ClassVar[str] = "frequency_disc(radius=3)"
    equal_counts: ClassVar[bool] = False
    domain: ClassVar[str] = "frequency"
    shareable: ClassVar[bool] = False
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = cifar10("mfm", 1000, 35_000)

    gamma: Annotated[float, Knob("power of the distance in the spectrum", 0.1, 10, 0.1)] = 1.0

    def grid(self, shape: EncoderShape) -> Grid:
        """The spectrum of a picture: one cell a bin, the zero frequency in the middle."""
        return Grid(*shape.size, patch=1, domain="frequency")

    def build(self, shape: EncoderShape, seed: int) -> HeadedEncoder:
        """A ViT over the whole filtered picture with a linear head to the pixels of a patch."""
        model = HeadedEncoder(shape.vit, nn.Linear(shape.dim, shape.patch**2 * 3))
        initialise(model, seed)
        return model

    def loss(self, model: nn.Module, batch: Batch, mask: Mask, step: int, progress: float) -> Loss:
        """Mean over the removed bins of all channels."""
        said = self.said(cast(HeadedEncoder, model), batch, mask).float()
        removed = bins(mask, said)
        return Loss(frequency_loss(said, normalise(batch.images).float(), removed, self.gamma))

    def said(self, model: HeadedEncoder, batch: Batch, mask: Mask) -> Tensor:
        """The predicted picture, [b, 3, h, w], ImageNet-normalised."""
        shape = model.encoder.shape
        seen = filtered(batch.images, bins(mask, batch.images))
        patches = model.head(model.tokens(patchify(normalise(seen), shape.patch)))
        return unpatchify(patches, shape.rows, shape.cols, shape.patch)

    def picture(self, model: nn.Module, batch: Batch, mask: Mask) -> dict[str, Tensor]:
        """The picture, what the encoder saw, and its removed bins as predicted."""
        removed = bins(mask, batch.images)
        said = denormalise(self.said(cast(HeadedEncoder, model), batch, mask).float())
        mixed = torch.where(removed, torch.fft.fft2(said), torch.fft.fft2(batch.images))
        return {
            "original": batch.images,
            "seen": filtered(batch.images, removed),
            "reconstruction": torch.fft.ifft2(mixed).real.clamp(0, 1),
        }


def bins(mask: Mask, like: Tensor) -> Tensor:
    """Removed bins in the order of torch's transform, bool [b, 1, h, w]."""
    removed = torch.from_numpy(mask.hidden.copy()).to(like.device)
    return torch.fft.ifftshift(removed, dim=(1, 2)).unsqueeze(1)


def filtered(images: Tensor, removed: Tensor) -> Tensor:
    """Pictures [b, 3, h, w] in [0, 1] without the removed bins [b, 1, h, w], cut to [0, 1]."""
    kept = torch.fft.fft2(images.float()).masked_fill(removed, 0)
    return torch.fft.ifft2(kept).real.clamp(0, 1)


def frequency_loss(said: Tensor, wanted: Tensor, removed: Tensor, gamma: float) -> Tensor:
    """Mean distance ** gamma of two pictures [b, c, h, w] over removed bins [b, 1, h, w]."""
    with torch.autocast(said.device.type, enabled=False):
        gap = torch.fft.fft2(said - wanted, norm="ortho")
        distance = (gap.real.square() + gap.imag.square() + EPS).sqrt() ** gamma
    weight = removed.to(distance.dtype).expand_as(distance)
    return (distance * weight).sum() / weight.sum().clamp_min(1)
