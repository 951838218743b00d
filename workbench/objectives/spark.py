"""Pretrain a convolutional network on the visible cells alone, decode the hidden ones (SparK)."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, ClassVar, cast

import torch
from torch import Tensor, nn

from workbench.masks import Mask
from workbench.models.headed import fresh_weights
from workbench.models.patches import normalise, patchify
from workbench.models.sparse import MaskedConvnet
from workbench.models.targets import patch_statistics, patch_targets
from workbench.models.token_encoder import mean_where
from workbench.objectives.objective import Batch, EncoderShape, Loss, Objective, flags
from workbench.objectives.pictures import LENT, pasted
from workbench.objectives.sized import cifar10
from workbench.params import Knob

TOKEN_SPREAD = 0.02
NARROWEST = 8
CIFAR: Mapping[str, Any] = {"patch": 8, "optimiser": "adamw", "lr": 1e-3}


@dataclass(frozen=True, kw_only=True)
class Spark(Objective):
    """Mean squared error to hidden cells, each normalised by its own mean and variance.

    The encoder is any convnet of timm; its own size counts, not dim, depth, heads and mlp of the
    run. After every convolution and pool hidden places are 0, batch norms count visible places
    only: features of visible cells do not depend on hidden pixels. A cell is a patch of the run, a
    network of larger stride has its first strides set to 1. Maps of every resolution are
    normalised, a learnt token fills their hidden places, and a decoder of the U-Net kind goes up
    from the coarsest. These norms are batch norms for every network; for ConvNeXt the official code
    takes layer norms. The default network is timm's smallest ResNet, to try things.

    Tian et al., Designing BERT for Convolutional Networks; official files `pretrain/encoder.py`,
    `pretrain/spark.py` and `pretrain/decoder.py`. They train with LAMB, this loop with AdamW.
    """

    paper: ClassVar[str] = "arXiv:2301.03580"
    default_mask: ClassVar[str] = "random(ratio=0.6)"
    equal_counts: ClassVar[bool] = False
    shareable: ClassVar[bool] = False
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = cifar10(
        "spark", 300, 20_000, small='spark(network="resnet10t", width=128)',
        large='spark(network="resnet50", width=256)', **CIFAR,
    )  # fmt: skip

    network: Annotated[str, Knob("name of a convolutional network of timm")] = "test_resnet"
    width: Annotated[
        int, Knob("channels of the decoder at its coarsest", 8, 4096, 8, None, 768, fixed=True)
    ] = 128  # fmt: skip

    def build(self, shape: EncoderShape, seed: int) -> "SparseAutoencoder":
        """The convnet with fresh weights, a token and a projection a resolution, the decoder."""
        with fresh_weights(seed):
            return SparseAutoencoder(self.network, shape, self.width)

    def loss(self, model: nn.Module, batch: Batch, mask: Mask, step: int, progress: float) -> Loss:
        """Mean over hidden cells; visible ones do not count."""
        patch = cast(SparseAutoencoder, model).shape.patch
        target = patch_targets(patchify(normalise(batch.images), patch), norm_pix=True)
        error = (self.predictions(model, batch, mask).float() - target).square().mean(-1)
        return Loss(mean_where(error, flags(mask, error)))

    def predictions(self, model: nn.Module, batch: Batch, mask: Mask) -> Tensor:
        """All cells, normalised, [b, n, patch * patch * 3]."""
        own = cast(SparseAutoencoder, model)
        keep = ~flags(mask, batch.images).view(len(batch), 1, own.shape.rows, own.shape.cols)
        return patchify(own(normalise(batch.images), keep), own.shape.patch)

    @property
    def picture_note(self) -> str:
        """That mean and spread of cells are not predicted."""
        return LENT

    def picture(self, model: nn.Module, batch: Batch, mask: Mask) -> dict[str, Tensor]:
        """The paste-back; true mean and spread of each hidden cell are put back."""
        shape = cast(SparseAutoencoder, model).shape
        mean, spread = patch_statistics(patchify(normalise(batch.images), shape.patch))
        said = self.predictions(model, batch, mask).float() * spread + mean
        return pasted(batch.images, shape.vit, flags(mask, said), said)

    def encoder(self, model: nn.Module) -> nn.Module:
        """Timm's network without its head."""
        return cast(SparseAutoencoder, model).encoder.net

    def features(self, model: nn.Module, images: Tensor) -> Tensor:
        """Mean over all places of the coarsest map, [b, channels]."""
        return cast(SparseAutoencoder, model).encoder(normalise(images))[0].mean((2, 3))


class SparseAutoencoder(nn.Module):
    """Masked convnet, dense maps by tokens, decoder to pixels."""

    def __init__(self, network: str, shape: EncoderShape, width: int) -> None:
        super().__init__()
        self.shape = shape
        self.encoder = MaskedConvnet(network, shape.patch, shape.rows, shape.cols)
        channels = self.encoder.channels
        ups = shape.patch.bit_length() - 1
        widths = [max(NARROWEST, width >> i) for i in range(ups + 1)]
        self.norms = nn.ModuleList(nn.BatchNorm2d(c) for c in channels)
        self.encoder.active.watch(self.norms)
        self.tokens = nn.ParameterList(TOKEN_SPREAD * torch.randn(1, c, 1, 1) for c in channels)
        self.projections = nn.ModuleList(
            _projection(i == 0, *each) for i, each in enumerate(zip(channels, widths, strict=False))
        )
        self.ups = nn.ModuleList(_Up(a, b) for a, b in pairwise(widths))
        self.pixels = nn.Conv2d(widths[-1], 3, 1)

    def forward(self, images: Tensor, keep: Tensor) -> Tensor:
        """Pictures [b, 3, h, w], bool [b, 1, rows, cols] visible, to predictions [b, 3, h, w]."""
        dense = self.densified(self.encoder(images, keep), keep)
        x = dense[0]
        for i, up in enumerate(self.ups):
            x = up(x if i == 0 or i >= len(dense) else x + dense[i])
        return self.pixels(x)

    def densified(self, maps: list[Tensor], keep: Tensor) -> list[Tensor]:
        """Maps with their hidden places filled by tokens, projected to the decoder's widths."""
        active, out = self.encoder.active, list[Tensor]()
        parts = zip(maps, self.norms, self.tokens, self.projections, strict=True)
        for x, norm, token, project in parts:
            with active.of(keep):
                x, where = norm(x), active.at(x.shape)
            out.append(project(x if where is None else torch.where(where, x, token.to(x.dtype))))
        return out


def _projection(coarsest: bool, channels: int, width: int) -> nn.Module:
    if coarsest:
        return nn.Identity() if channels == width else nn.Conv2d(channels, width, 1)
    return nn.Conv2d(channels, width, 3, padding=1)


class _Up(nn.Module):
    """Twice the resolution, then two convolutions, batch norm after each."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(inner, inner, 4, 2, 1)
        self.mix = nn.Sequential(
            nn.Conv2d(inner, inner, 3, padding=1, bias=False), nn.BatchNorm2d(inner), nn.ReLU6(),
            nn.Conv2d(inner, outer, 3, padding=1, bias=False), nn.BatchNorm2d(outer),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """[b, inner, h, w] to [b, outer, 2 h, 2 w]."""
        return self.mix(self.up(x))
