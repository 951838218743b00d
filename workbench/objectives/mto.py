"""Keep mask tokens unlike picture tokens at first and like them at last, beside SimMIM (MTO)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, cast

import torch
from torch import Tensor, nn

from workbench.masks import Mask
from workbench.models.initial import initialise
from workbench.models.patches import normalise, patchify
from workbench.models.token_encoder import TokenEncoder, mean_where
from workbench.objectives.objective import Batch, EncoderShape, Loss, Objective, flags
from workbench.objectives.pictures import pasted
from workbench.objectives.sized import cifar10
from workbench.params import Knob

Weight = Annotated[float, Knob("weight of this part; 0 leaves it out", 0, 100, 0.05, None, 1)]


@dataclass(frozen=True, kw_only=True)
class Mto(Objective):
    """SimMIM's loss, and three about the mask token; with all weights 0 it is SimMIM's alone.

    Our reading of the paper's description, for neither its code nor its equations were at hand. The
    heterogeneity of a layer is the distance between the mean entropy of hidden and of visible
    tokens, each token softmaxed over its channels, in nats. `sparse`: |t|_1 / (sqrt(dim) |t|_2) of
    the mask token t, so that it becomes singular. `apart`: exp(-heterogeneity) of what enters the
    first block. `restored`: the heterogeneity after the last block. `recalibrate` weighs the error
    of a hidden patch by how far its last token still is from the visible ones (detached, mean 1).
    `gap_0` to `gap_{depth}` give the curve over the layers.

    Choi et al., Emerging Property of Masked Token for Effective Pre-training.
    """

    paper: ClassVar[str] = "arXiv:2404.08330"
    default_mask: ClassVar[str] = "units(ratio=0.6, unit=2)"
    equal_counts: ClassVar[bool] = False
    norm_pix: ClassVar[bool] = False  # what a run's card says of its pixels
    shareable: ClassVar[bool] = False
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = cifar10("mto", 1500, 38_000)

    sparse: Weight = 0.1
    apart: Weight = 0.1
    restored: Weight = 0.1
    recalibrate: Annotated[float, Knob("share of an error's weight that moves", 0, 1, 0.05)] = 0.5

    def build(self, shape: EncoderShape, seed: int) -> TokenEncoder:
        """A ViT with a mask token and a linear head to the pixels of a patch."""
        model = TokenEncoder(shape.vit, shape.patch**2 * 3)
        initialise(model, seed)
        return model

    def loss(self, model: nn.Module, batch: Batch, mask: Mask, step: int, progress: float) -> Loss:
        """All four, and the curve of heterogeneity."""
        own = cast(TokenEncoder, model)
        patches = patchify(normalise(batch.images), own.encoder.shape.patch)
        hidden, prefix = flags(mask, patches), own.encoder.shape.prefix
        first = own.embedded(patches, hidden)
        states = own.encoder.states(first)
        said = own.head(own.encoder.norm(states[-1])[:, prefix:]).float()
        entered, *between, last = [each[:, prefix:] for each in (first, *states)]
        ended = entropy(last)
        with torch.no_grad():  # for the curve alone
            curve = [gap(entropy(each), hidden) for each in between]
        gaps = [gap(entropy(entered), hidden), *curve, gap(ended, hidden)]
        error = (said - patches).abs().mean(-1)
        if self.recalibrate:
            error = error * self.weights(ended.detach(), hidden)
        pixels = mean_where(error, hidden)
        token = own.mask_token.flatten()
        sparse = token.abs().sum() / (len(token) ** 0.5 * token.norm().clamp_min(1e-12))
        parts = {
            "pixels": pixels,
            "sparse": sparse,
            "apart": (-gaps[0]).exp(),
            "restored": gaps[-1],
        }
        total = pixels
        for name in ("sparse", "apart", "restored"):
            if getattr(self, name):
                total = total + getattr(self, name) * parts[name]
        return Loss(total, {**parts, **{f"gap_{i}": each for i, each in enumerate(gaps)}})

    def weights(self, last: Tensor, hidden: Tensor) -> Tensor:
        """How much the error of each hidden patch counts, [b, n]; their mean is 1."""
        far = (last - mean_where(last, ~hidden)).abs()
        relative = far / mean_where(far, hidden).clamp_min(1e-12)
        return 1 + self.recalibrate * (relative - 1)

    def predictions(self, model: nn.Module, batch: Batch, mask: Mask) -> Tensor:
        """What is said of every patch, [b, n, patch * patch * 3]."""
        patches = patchify(normalise(batch.images), cast(TokenEncoder, model).encoder.shape.patch)
        return model(patches, flags(mask, patches))

    def picture(self, model: nn.Module, batch: Batch, mask: Mask) -> dict[str, Tensor]:
        """The picture, what the encoder saw, and the paste-back."""
        said = self.predictions(model, batch, mask)
        shape = cast(TokenEncoder, model).encoder.shape
        return pasted(batch.images, shape, flags(mask, said), said)


def entropy(tokens: Tensor) -> Tensor:
    """Entropy in nats of each token softmaxed over its channels, float32 [b, n] of [b, n, dim]."""
    logs = tokens.float().log_softmax(-1)
    return -(logs.exp() * logs).sum(-1)


def gap(entropies: Tensor, hidden: Tensor) -> Tensor:
    """Distance of the mean entropy of hidden and of visible tokens; 0 where one kind is missing."""
    found = (mean_where(entropies, hidden) - mean_where(entropies, ~hidden)).abs()
    return found * (hidden.any() & (~hidden).any())  # asks no GPU to wait, as `if` would
