"""Foretell the loss of each patch beside its pixels, and hide what will be hard (HPM)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, cast

import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from workbench.masks import Grid, Mask
from workbench.models.averages import follow, frozen_copy
from workbench.models.mae import MaskedAutoencoder, PatchDecoder
from workbench.models.patches import normalise, patchify
from workbench.models.transformer import ViT
from workbench.objectives.decoding import Decoding
from workbench.objectives.objective import Batch, EncoderShape, Loss, Objective, indices
from workbench.objectives.sized import cifar10
from workbench.objectives.teaching import Momentum
from workbench.params import Knob

SETTLED = 100 / 800  # of the epochs
MAP = "predicted_loss("


@dataclass(frozen=True, kw_only=True)
class Hpm(Decoding, Objective):
    """MAE's loss, and a second decoder that learns which of two hidden patches has the larger loss.

    For every pair of hidden patches the cross-entropy of sigmoid(l_i - l_j) against L_i > L_j, the
    losses L detached; pairs with equal losses say nothing. Only differences of the foretold l
    count. Running averages of encoder and second decoder see whole pictures and foretell the map
    `predicted_loss()` that the mask follows: by default the share of hidden patches that it
    decides grows from 0 to one half.
    Pixels are normalised patch by patch here (`norm_pix`), officially they are not.

    The averages' momentum rises from `momentum` to `last_momentum` over the first eighth of a run.
    Officially they end with a memory of 10,000 steps, about 4% of its 250,000; the tiny preset
    keeps that share of its 800 steps (.9 to .97: 10 to 33 steps), for with .999 and .9999 they
    would stay near the first weights.

    Wang et al., HPM; official files `models_mae_learn_loss.py` and `engine_pretrain.py`.
    """

    paper: ClassVar[str] = "arXiv:2304.05919"
    default_mask: ClassVar[str] = (
        'guided(ratio=0.75, scores="predicted_loss()", share=ramp(0.0, 0.5))'
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = cifar10(
        "hpm",
        800,
        40_000,
        small="hpm(momentum=0.9, last_momentum=0.97)",
        large="hpm(decoder_depth=4)",
    )

    momentum: Momentum = 0.999
    last_momentum: Annotated[
        float, Knob("share of themselves that the averages keep a step, at last", 0, 1)
    ] = 0.9999  # fmt: skip

    def build(self, shape: EncoderShape, seed: int) -> MaskedAutoencoder:
        """A masked autoencoder, a second decoder, and frozen averages of encoder and that."""
        model = self.autoencoder(shape)
        second = PatchDecoder(shape.vit, self.decoder)
        model.foretelling = second
        model.initialise(seed)
        second.decoder_pos_embed.data.copy_(model.decoder_pos_embed.data)
        generator = torch.Generator().manual_seed(seed + 1)
        nn.init.normal_(second.mask_token, std=0.02, generator=generator)
        model.teacher = frozen_copy(
            nn.ModuleDict({"encoder": model.encoder, "foretelling": second})
        )
        return model

    def loss(self, model: nn.Module, batch: Batch, mask: Mask, step: int, progress: float) -> Loss:
        """Pixels and order, with equal weight; `order` tells the latter."""
        own = cast(MaskedAutoencoder, model)
        patches = patchify(normalise(batch.images), own.shape.patch)
        visible, hidden = indices(mask, patches)
        latent = own.encoder(patches, visible)
        errors = self.pixel_errors(own, patches, latent, mask)
        second = cast(PatchDecoder, own.foretelling)
        foretold = second.decode(latent, visible, hidden).float().mean(-1)
        order = order_loss(foretold, errors.detach())
        pixels = errors.mean()
        return Loss(pixels + order, {"pixels": pixels, "order": order})

    def maps(
        self, model: nn.Module, batch: Batch, grid: Grid, needs: tuple[str, ...], progress: float
    ) -> Mapping[str, NDArray[Any]]:
        """`predicted_loss()` as the averages see it in whole pictures, [b, rows, cols]."""
        wanted = [recipe for recipe in needs if recipe.startswith(MAP)]
        if not wanted:
            return {}
        found = self.foretold(cast(MaskedAutoencoder, model), batch.images)
        return dict.fromkeys(wanted, found.cpu().numpy().reshape(-1, *grid.shape))

    @torch.no_grad()
    def foretold(self, model: MaskedAutoencoder, images: Tensor) -> Tensor:
        """What the averages foretell of each patch of whole pictures, float32 [b, n]."""
        teacher = cast(nn.ModuleDict, model.teacher)
        encoder = cast(ViT, teacher["encoder"])
        decoder = cast(PatchDecoder, teacher["foretelling"])
        patches = patchify(normalise(images), encoder.shape.patch)
        everything = torch.arange(patches.shape[1], device=images.device).expand(len(images), -1)
        said = decoder.decode(encoder(patches), everything, everything[:, :0], everything=True)
        return said.float().mean(-1)

    def after_step(self, model: nn.Module, progress: float) -> None:
        """Move the averages."""
        own = cast(MaskedAutoencoder, model)
        teacher = cast(nn.ModuleDict, own.teacher)
        momentum = self.momentum_at(progress)
        follow(teacher["encoder"], own.encoder, momentum)
        follow(teacher["foretelling"], cast(nn.Module, own.foretelling), momentum)

    def momentum_at(self, progress: float) -> float:
        """Share of themselves that the averages keep in a step."""
        rise = min(1.0, progress / SETTLED)
        return self.momentum + (self.last_momentum - self.momentum) * rise


def order_loss(foretold: Tensor, losses: Tensor) -> Tensor:
    """Mean cross-entropy over ordered pairs of patches with different losses, both [b, m]."""
    said = foretold.unsqueeze(2) - foretold.unsqueeze(1)
    larger = losses.unsqueeze(2) > losses.unsqueeze(1)
    different = losses.unsqueeze(2) != losses.unsqueeze(1)
    error = F.binary_cross_entropy_with_logits(said, larger.to(said.dtype), reduction="none")
    return (error * different).sum() / different.sum().clamp_min(1)
