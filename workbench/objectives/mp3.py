"""Predict where each patch stands, from content alone (MP3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.masks import Mask
from workbench.models.headed import HeadedEncoder
from workbench.models.initial import initialise
from workbench.models.patches import normalise, patchify
from workbench.models.transformer import gather_tokens
from workbench.objectives.objective import Batch, EncoderShape, Loss, Objective, flags, indices
from workbench.objectives.sized import cifar10


@dataclass(frozen=True, kw_only=True)
class Mp3(Objective):
    """Cross-entropy over all places, for every patch; no position enters anywhere.

    Visible patches are the context: all patches ask, only they are asked. A hidden patch still
    reads its own pixels, since it has to say where it stands, but no other patch reads it. Without
    positions the answers move with the patches; pictures of noise give 1 / places.

    Zhai et al., Position Prediction as an Effective Pretraining Strategy. No official file was
    found: this is the described mechanism in our reading. For further training positions can be
    learnt from zero, where the encoder's table stands.
    """

    paper: ClassVar[str] = "arXiv:2207.07611"
    default_mask: ClassVar[str] = "random(ratio=0.75)"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = cifar10("mp3", 700, 35_000)

    def build(self, shape: EncoderShape, seed: int) -> HeadedEncoder:
        """A ViT whose positions are zero and frozen, with a linear head to the places."""
        model = HeadedEncoder(shape.vit, nn.Linear(shape.dim, shape.tokens))
        model.encoder.pos_embed.requires_grad_(False)
        initialise(model, seed)
        return model

    def loss(self, model: nn.Module, batch: Batch, mask: Mask, step: int, progress: float) -> Loss:
        """Mean over all patches; `accuracy` is the share of places found."""
        said = self.said(model, batch, mask).float()
        places = torch.arange(said.shape[1], device=said.device).expand(len(said), -1)
        right = (said.argmax(-1) == places).float().mean()
        return Loss(F.cross_entropy(said.transpose(1, 2), places), {"accuracy": right})

    def said(self, model: nn.Module, batch: Batch, mask: Mask) -> Tensor:
        """Logits of all patches, [b, n, n]."""
        own = cast(HeadedEncoder, model)
        encoder = own.encoder
        patches = patchify(normalise(batch.images), encoder.shape.patch)
        context = F.pad(~flags(mask, patches), (encoder.shape.prefix, 0), value=True)
        tokens = encoder.norm(encoder.states(encoder.embed(patches), keys=context)[-1])
        return own.head(tokens[:, encoder.shape.prefix :])

    def predictions(self, model: nn.Module, batch: Batch, mask: Mask) -> Tensor:
        """Logits of the visible patches, [b, visible, n]."""
        return gather_tokens(self.said(model, batch, mask), indices(mask, batch.images)[0])
