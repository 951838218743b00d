"""Predict hidden pixels with white-box blocks that compress and sparsify (CRATE-MAE)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from torch import nn

from workbench.masks import Mask
from workbench.models.crate import CrateBlock, CrateDecoderBlock
from workbench.models.headed import fresh_weights
from workbench.models.mae import MaskedAutoencoder
from workbench.models.patches import normalise, patchify
from workbench.objectives.decoding import Decoding
from workbench.objectives.objective import Batch, EncoderShape, Loss, Objective, indices
from workbench.objectives.sized import cifar10


@dataclass(frozen=True, kw_only=True)
class CrateMae(Decoding, Objective):
    """The masked autoencoder with CRATE blocks; loss, targets and pictures are MAE's.

    Encoder block: attention with one projection for queries, keys and values, then
    relu(z + eta (D^T z - D^T D z) - eta lambda) without a residual, eta = lambda = 0.1. Decoder
    block: a linear map, then x - attention. There is no MLP, so about 30% of the weights are left
    and `mlp` of the run does not count.

    The form is MAE's: the encoder reads visible patches, a narrow decoder the rest. Officially
    mask tokens enter the encoder already, the decoder follows without a map between (its
    `decoder_embed` is not used) and is as deep and wide as the encoder (tiny: 12 blocks of width
    384 each), and lambda is 0.5, in another version 5; 0.1 stands in a comment only.

    Pai et al., Masked Completion via Structured Diffusion with White-Box Transformers; official
    files `model/crate_ae/` of Ma-Lab-Berkeley/CRATE.
    """

    paper: ClassVar[str] = "arXiv:2404.02446"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = cifar10(
        "crate_mae", 3000, 60_000, large="crate_mae(decoder_depth=4)"
    )

    def build(self, shape: EncoderShape, seed: int) -> MaskedAutoencoder:
        """The masked autoencoder, its blocks replaced in both halves."""
        d, heads, eps = self.decoder_dim, self.decoder_heads, shape.eps
        with fresh_weights(seed):
            model = self.autoencoder(shape)
            model.encoder.blocks = nn.ModuleList(
                CrateBlock(shape.dim, shape.heads, eps) for _ in range(shape.depth)
            )
            model.decoder_blocks = nn.ModuleList(
                CrateDecoderBlock(d, heads, eps) for _ in range(self.decoder_depth)
            )
        model.initialise(seed)
        return model

    def loss(self, model: nn.Module, batch: Batch, mask: Mask, step: int, progress: float) -> Loss:
        """Mean over hidden patches."""
        own = cast(MaskedAutoencoder, model)
        patches = patchify(normalise(batch.images), own.shape.patch)
        latent = own.encoder(patches, indices(mask, patches)[0])
        return Loss(self.pixel_errors(own, patches, latent, mask).mean())
