"""Pick the patch that belongs to a hidden place among the other hidden ones (Selfie)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.masks import Mask
from workbench.models.headed import fresh_weights
from workbench.models.initial import initialise
from workbench.models.patches import normalise, patchify
from workbench.models.transformer import ViT, ViTShape, gather_tokens
from workbench.objectives.objective import Batch, EncoderShape, Loss, Objective, indices
from workbench.objectives.sized import cifar10
from workbench.params import Knob


@dataclass(frozen=True, kw_only=True)
class Selfie(Objective):
    """Cross-entropy over dot products of a place's query with the hidden patches of the picture.

    A small convolutional network turns each patch into a vector, on its own. A transformer pools
    the visible ones into a class token; that and a learnt place make the query. Candidates are the
    hidden patches of the same picture, so chance is 1 / hidden; they never enter the context, and
    equal patches tie. Products are divided by sqrt(width).

    Trinh et al., Selfie. No official file was found: this is the described mechanism in our
    reading, with the transformer of the run as attention pooling; probes see its patch tokens.
    """

    paper: ClassVar[str] = "arXiv:1906.02940"
    must_hold: ClassVar[tuple[str, ...]] = ("hidden", "visible")
    default_mask: ClassVar[str] = "random(ratio=0.25)"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = cifar10(
        "selfie", 800, 30_000, small="selfie(channels=32, layers=1)"
    )

    channels: Annotated[
        int, Knob("channels of the patch network", 4, 4096, 4, None, 256, fixed=True)
    ] = 64  # fmt: skip
    layers: Annotated[
        int, Knob("residual layers of the patch network", 1, 64, 1, None, 8, fixed=True)
    ] = 2

    def build(self, shape: EncoderShape, seed: int) -> "PatchPicker":
        """A ViT whose patches are embedded by convolutions, and a table of places for queries."""
        with fresh_weights(seed):
            model = PatchPicker(shape.vit, self.channels, self.layers)
        initialise(model, seed)
        return model

    def check(self, mask: Mask) -> None:
        """See `Objective.check`; of one hidden patch there is nothing to pick."""
        super().check(mask)
        n = mask.grid.size
        if mask.counts.min() < 2:
            raise BadInput(
                f"selfie picks among the hidden patches of a picture, but the mask hides 1 of {n}; "
                f"take a ratio of {math.ceil(200 / n) / 100} or more."
            )

    def loss(self, model: nn.Module, batch: Batch, mask: Mask, step: int, progress: float) -> Loss:
        """Mean over hidden places; `accuracy` is the share of patches found."""
        own = cast(PatchPicker, model)
        patches = patchify(normalise(batch.images), own.encoder.shape.patch)
        hidden = indices(mask, patches)[1]
        candidates = own.encoder.patch_embed(gather_tokens(patches, hidden)).float()
        queries = self.predictions(model, batch, mask).float()
        with torch.autocast(queries.device.type, enabled=False):
            said = queries @ candidates.transpose(1, 2) / queries.shape[-1] ** 0.5
        wanted = torch.arange(said.shape[1], device=said.device).expand(len(said), -1)
        right = (said.argmax(-1) == wanted).float().mean()
        return Loss(F.cross_entropy(said.transpose(1, 2), wanted), {"accuracy": right})

    def predictions(self, model: nn.Module, batch: Batch, mask: Mask) -> Tensor:
        """Queries of the hidden places, [b, hidden, dim]."""
        own = cast(PatchPicker, model)
        patches = patchify(normalise(batch.images), own.encoder.shape.patch)
        return own(patches, *indices(mask, patches))


class PatchPicker(nn.Module):
    """A transformer over patches embedded by convolutions, and where its queries stand."""

    def __init__(self, shape: ViTShape, channels: int, layers: int) -> None:
        super().__init__()
        self.encoder = ViT(shape)
        self.encoder.patch_embed = cast(Any, PatchNet(shape.patch, channels, layers, shape.dim))
        self.places = nn.Parameter(0.02 * torch.randn(1, shape.tokens, shape.dim))

    def forward(self, patches: Tensor, visible: Tensor, hidden: Tensor) -> Tensor:
        """Queries [b, hidden, dim] from patches [b, n, p], of which hidden ones are not read."""
        context = self.encoder(patches, visible)[:, :1]
        return context + gather_tokens(self.places.expand(len(patches), -1, -1), hidden)


class PatchNet(nn.Module):
    """Residual convolutions within a patch, their mean, and a linear layer."""

    def __init__(self, patch: int, channels: int, layers: int, dim: int) -> None:
        super().__init__()
        self.patch = patch
        self.stem = nn.Conv2d(3, channels, 3, padding=1)
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.GELU(), nn.Conv2d(channels, channels, 3, padding=1),
                nn.GELU(), nn.Conv2d(channels, channels, 3, padding=1),
            )
            for _ in range(layers)
        )  # fmt: skip
        self.head = nn.Linear(channels * 4, dim)

    def forward(self, patches: Tensor) -> Tensor:
        """Patches [b, n, patch * patch * 3] to [b, n, dim], each on its own."""
        b, n, _ = patches.shape
        x = patches.reshape(b * n, self.patch, self.patch, 3).permute(0, 3, 1, 2)
        x = self.stem(x)
        for layer in self.layers:
            x = x + layer(x)
        return self.head(F.adaptive_avg_pool2d(x, 2).flatten(1)).view(b, n, -1)
