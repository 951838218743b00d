"""What objectives with a pixel decoder over visible tokens share with MAE: knobs and pictures."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, cast

import torch
from torch import Tensor, nn

from workbench.masks import Mask
from workbench.models.mae import DecoderShape, MaskedAutoencoder
from workbench.models.patches import normalise, patchify
from workbench.models.targets import patch_statistics, patch_targets
from workbench.models.transformer import gather_tokens
from workbench.objectives.objective import Batch, EncoderShape, flags, indices
from workbench.objectives.pictures import LENT, pasted
from workbench.params import Knob

Depth = Annotated[int, Knob("blocks of the decoder", 1, 48, 1, soft_maximum=12, fixed=True)]


@dataclass(frozen=True, kw_only=True)
class NormPix:
    """Whether each target patch is normalised."""

    norm_pix: Annotated[
        bool, Knob("normalise each target patch by its mean and variance", fixed=True)
    ] = True  # fmt: skip

    @property
    def picture_note(self) -> str:
        """That mean and spread are not predicted, where targets are normalised."""
        return LENT if self.norm_pix else ""


@dataclass(frozen=True, kw_only=True)
class DecoderKnobs:
    """Knobs of a small decoder, and its shape."""

    widths: ClassVar[tuple[tuple[str, str], ...]] = (("decoder_dim", "decoder_heads"),)

    decoder_dim: Annotated[
        int, Knob("width of the decoder", 8, 4096, 4, soft_maximum=512, fixed=True)
    ] = 128  # fmt: skip
    decoder_depth: Depth = 2
    decoder_heads: Annotated[
        int, Knob("heads of the decoder", 1, 64, 1, soft_maximum=16, fixed=True)
    ] = 4  # fmt: skip

    @property
    def decoder(self) -> DecoderShape:
        """The decoder's shape; its MLPs are four times as wide as it is."""
        d = self.decoder_dim
        return DecoderShape(dim=d, depth=self.decoder_depth, heads=self.decoder_heads, hidden=4 * d)


@dataclass(frozen=True, kw_only=True)
class Decoding(DecoderKnobs, NormPix):
    """What follows from the knobs where the model is a `MaskedAutoencoder`."""

    must_hold: ClassVar[tuple[str, ...]] = ("hidden",)

    def autoencoder(self, shape: EncoderShape) -> MaskedAutoencoder:
        """A masked autoencoder whose weights are not yet set."""
        return MaskedAutoencoder(shape.vit, self.decoder)

    def pixel_errors(
        self, model: MaskedAutoencoder, patches: Tensor, latent: Tensor, mask: Mask
    ) -> Tensor:
        """Mean squared error of each hidden patch, float32 [b, hidden].

        Args:
            model: decodes.
            patches: [b, n, p], ImageNet-normalised.
            latent: what the encoder made of the visible ones.
            mask: what is hidden.
        """
        visible, hidden = indices(mask, patches)
        said = model.decode(latent, visible, hidden).float()
        target = patch_targets(gather_tokens(patches, hidden), self.norm_pix)
        return (said - target).square().mean(-1)

    def predictions(self, model: nn.Module, batch: Batch, mask: Mask) -> Tensor:
        """Hidden patches, normalised where `norm_pix` is set, [b, hidden, patch * patch * 3]."""
        mae = cast(MaskedAutoencoder, model)
        return mae(patchify(normalise(batch.images), mae.shape.patch), *indices(mask, batch.images))

    def picture(self, model: nn.Module, batch: Batch, mask: Mask) -> dict[str, Tensor]:
        """The picture, what the encoder saw, and the paste-back.

        With `norm_pix` the true mean and spread of each hidden patch are put back: what is judged
        is the structure that was predicted.
        """
        shape = cast(MaskedAutoencoder, model).shape
        hidden = indices(mask, batch.images)[1]
        patches = patchify(normalise(batch.images), shape.patch)
        said = self.predictions(model, batch, mask).float()
        if self.norm_pix:
            mean, spread = patch_statistics(gather_tokens(patches, hidden))
            said = said * spread + mean
        where = hidden.unsqueeze(-1).expand(-1, -1, patches.shape[-1])
        whole = torch.scatter(patches, 1, where, said)
        return pasted(batch.images, shape, flags(mask, patches), whole)
