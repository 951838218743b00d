"""Regress what the encoder would make of hidden patches, then decode their codes (CAE)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.masks import Mask
from workbench.models.codebook import Codebook
from workbench.models.cross import CrossRegressor
from workbench.models.initial import initialise
from workbench.models.patches import normalise, patchify
from workbench.models.transformer import Block, ViT, gather_tokens
from workbench.objectives.objective import Batch, EncoderShape, Loss, Objective, indices
from workbench.objectives.sized import cifar10
from workbench.params import Knob

Blocks = Annotated[int, Knob("blocks of it", 1, 48, 1, None, 12, fixed=True)]


@dataclass(frozen=True, kw_only=True)
class Cae(Objective):
    """Cross-entropy over codes of hidden patches, and 2 x squared error to their own latents.

    The encoder reads visible patches. A regressor asks them, by attention from mask tokens at the
    hidden places, for the latents that the same encoder gives the hidden patches alone (detached).
    A decoder over these regressed latents, which sees no visible token, tells the codes. Codes are
    k-means centres of the run's own patches, see `beit`; the official ones are a discrete VAE's.

    Chen et al., Context Autoencoder; official file `furnace/engine_for_pretraining.py`.
    """

    paper: ClassVar[str] = "arXiv:2202.03026"
    must_hold: ClassVar[tuple[str, ...]] = ("hidden",)
    default_mask: ClassVar[str] = "block(ratio=0.5)"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = cifar10(
        "cae", 1300, 25_000, small="cae(regressor_depth=2, decoder_depth=2)"
    )

    codes: Annotated[
        int, Knob("codes of the vocabulary", 2, 65536, 64, None, 8192, fixed=True)
    ] = 512  # fmt: skip
    regressor_depth: Blocks = 4
    decoder_depth: Blocks = 4
    align: Annotated[float, Knob("weight of the latents", 0, 100, 0.1, None, 4)] = 2.0

    def build(self, shape: EncoderShape, seed: int) -> "ContextAutoencoder":
        """Encoder, regressor, decoder, and an empty vocabulary."""
        depths = (self.regressor_depth, self.decoder_depth)
        model = ContextAutoencoder(shape, depths, self.codes)
        initialise(model, seed)
        return model

    def prepare(self, model: nn.Module, images: Tensor, seed: int) -> None:
        """Fit the vocabulary."""
        own = cast(ContextAutoencoder, model)
        patches = patchify(normalise(images), own.encoder.shape.patch)
        own.codebook.fit(patches.flatten(0, 1), seed)

    def loss(self, model: nn.Module, batch: Batch, mask: Mask, step: int, progress: float) -> Loss:
        """Both; `accuracy` is the share of codes found."""
        own = cast(ContextAutoencoder, model)
        patches = patchify(normalise(batch.images), own.encoder.shape.patch)
        visible, hidden = indices(mask, patches)
        latent = own.regressed(patches, visible, hidden)
        said = own.decoded(latent, hidden).float()
        codes = own.codebook.codes(gather_tokens(patches, hidden))
        align = (latent.float() - own.wanted(patches, hidden)).square().mean()
        found = F.cross_entropy(said.flatten(0, 1), codes.flatten())
        accuracy = (said.argmax(-1) == codes).float().mean()
        parts = {"codes": found, "align": align, "accuracy": accuracy}
        return Loss(found + self.align * align, parts)

    def predictions(self, model: nn.Module, batch: Batch, mask: Mask) -> Tensor:
        """Logits of the codes of hidden patches, [b, hidden, codes]."""
        own = cast(ContextAutoencoder, model)
        patches = patchify(normalise(batch.images), own.encoder.shape.patch)
        visible, hidden = indices(mask, patches)
        return own.decoded(own.regressed(patches, visible, hidden), hidden)


class ContextAutoencoder(nn.Module):
    """Encoder, latent regressor and code decoder, all of the encoder's width."""

    def __init__(self, shape: EncoderShape, depths: tuple[int, int], codes: int) -> None:
        super().__init__()
        d, heads, hidden = shape.dim, shape.heads, shape.hidden
        self.encoder = ViT(shape.vit)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, d))
        self.regressor = CrossRegressor(d, depths[0], heads, hidden)
        self.decoder_blocks = nn.ModuleList(Block(d, heads, hidden) for _ in range(depths[1]))
        self.decoder_norm = nn.LayerNorm(d, shape.eps)
        self.head = nn.Linear(d, codes)
        self.codebook = Codebook(codes, shape.patch**2 * 3)

    def _places(self, hidden: Tensor) -> Tensor:
        prefix = self.encoder.pos_embed.shape[1] - self.encoder.shape.tokens
        table = self.encoder.pos_embed[:, prefix:].expand(len(hidden), -1, -1)
        return gather_tokens(table, hidden).detach()

    def regressed(self, patches: Tensor, visible: Tensor, hidden: Tensor) -> Tensor:
        """Latents of hidden patches as foretold from the visible ones, [b, hidden, dim]."""
        asking = self.mask_token + self._places(hidden)
        return self.regressor(asking, self.encoder(patches, visible))

    @torch.no_grad()
    def wanted(self, patches: Tensor, hidden: Tensor) -> Tensor:
        """Latents that the encoder gives the hidden patches alone, float32 [b, hidden, dim]."""
        return self.encoder(patches, hidden)[:, self.encoder.shape.prefix :].float()

    def decoded(self, latent: Tensor, hidden: Tensor) -> Tensor:
        """Logits of codes, [b, hidden, codes], from the regressed latents alone."""
        x = latent + self._places(hidden)
        for block in self.decoder_blocks:
            x = block(x)
        return self.head(self.decoder_norm(x))
