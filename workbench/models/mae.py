"""The masked autoencoder: encode visible patches, decode hidden ones (arXiv:2111.06377)."""

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from workbench.models.transformer import Block, ViT, ViTShape, gather_tokens


@dataclass(frozen=True, kw_only=True)
class DecoderShape:
    """Width, depth, heads and MLP width of the decoder."""

    dim: int = 128
    depth: int = 4
    heads: int = 4
    hidden: int = 512


class PatchDecoder(nn.Module):
    """A small transformer over what an encoder made of the visible patches, and mask tokens.

    Follows `models_mae.py` of facebookresearch/mae (parameter names are its own). Tokens are not
    put back in picture order before the decoder, which changes no number, because attention does
    not care about order once positions are added. The decoder's positions stay fixed as there; the
    encoder's are learnt here, see `MaskedAutoencoder`.
    """

    def __init__(self, shape: ViTShape, decoder: DecoderShape, channels: int = 3) -> None:
        super().__init__()
        self.shape, self.decoder_shape, self.channels = shape, decoder, channels
        self._add_encoder()
        d = decoder.dim
        self.decoder_embed = nn.Linear(shape.dim, d)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, d))
        self.decoder_pos_embed = nn.Parameter(
            torch.zeros(1, shape.prefix + shape.tokens, d), requires_grad=False
        )
        self.decoder_blocks = nn.ModuleList(
            Block(d, decoder.heads, decoder.hidden, eps=shape.eps) for _ in range(decoder.depth)
        )
        self.decoder_norm = nn.LayerNorm(d, shape.eps)
        self.decoder_pred = nn.Linear(d, shape.patch**2 * channels)

    def _add_encoder(self) -> None:
        """Make what is to stand before the decoder in every list of weights; here nothing."""

    def decode(
        self, latent: Tensor, visible: Tensor, hidden: Tensor, *, everything: bool = False
    ) -> Tensor:
        """Predict patches from the visible ones.

        Args:
            latent: what the encoder made of the visible patches, [b, prefix + k, dim].
            visible: int64 [b, k].
            hidden: int64 [b, tokens - k].
            everything: predict all patches in picture order; otherwise only the hidden ones, in the
                order of `hidden` (then the last decoder block asks for those alone).

        Returns:
            [b, tokens or tokens - k, patch * patch * 3] in the space of the training target.
        """
        b, prefix = latent.shape[0], self.shape.prefix
        y = self.decoder_embed(latent)
        place = self.decoder_pos_embed.to(y.dtype)
        spots = place[:, prefix:].expand(b, -1, -1)
        blanks = self.mask_token.to(y.dtype) + gather_tokens(spots, hidden)
        seen = [place[:, :prefix].expand(b, -1, -1), gather_tokens(spots, visible)]
        y = torch.cat([y + torch.cat(seen, dim=1), blanks], dim=1)
        tail = None if everything else hidden.shape[1]
        for i, block in enumerate(self.decoder_blocks):
            y = block(y, tail if i == len(self.decoder_blocks) - 1 else None)
        y = self.decoder_pred(self.decoder_norm(y))
        if not everything:
            return y
        order = torch.cat([visible, hidden], dim=1).argsort(1)
        return gather_tokens(y[:, prefix:], order)


class MaskedAutoencoder(PatchDecoder):
    """A ViT over visible patches and a small decoder over all of them (`models_mae.py`).

    The encoder's positions start as sines and cosines and are learnt; officially they stay fixed.
    """

    encoder: ViT

    def _add_encoder(self) -> None:
        self.encoder = ViT(self.shape, self.channels)

    def initialise(self, seed: int) -> None:
        """Set first weights as the official code does: Xavier linears, sin-cos places, tokens.

        Tokens are normal with a spread of 0.02.
        """
        generator = torch.Generator().manual_seed(seed)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight, generator=generator)
                if module.bias is not None:  # pyright: ignore[reportUnnecessaryComparison]
                    nn.init.zeros_(module.bias)
        embed = self.encoder.patch_embed.proj
        nn.init.xavier_uniform_(embed.weight.data.flatten(1), generator=generator)
        nn.init.zeros_(cast(Tensor, embed.bias))  # a convolution draws it from the global generator
        tokens = [self.mask_token]
        if self.shape.class_token:
            tokens.append(self.encoder.cls_token)
        for token in tokens:
            nn.init.normal_(token, std=0.02, generator=generator)
        s = self.shape
        for pos in (self.encoder.pos_embed, self.decoder_pos_embed):
            prefix = pos.shape[1] - s.tokens
            pos.data.copy_(
                torch.from_numpy(sincos_positions(pos.shape[-1], s.rows, s.cols, prefix))
            )

    def forward(
        self,
        patches: Tensor,
        visible: Tensor,
        hidden: Tensor,
        *,
        everything: bool = False,
        activations: dict[str, Tensor] | None = None,
        maps: list[Tensor] | None = None,
    ) -> Tensor:
        """Predict patches from the visible ones.

        Args:
            patches: [b, tokens, patch * patch * 3], ImageNet-normalised; hidden ones are not read.
            visible: int64 [b, k].
            hidden: int64 [b, tokens - k].
            everything: predict all patches in picture order; otherwise only the hidden ones, in the
                order of `hidden` (then the last decoder block asks for those alone).
            activations: filled with `latent` [b, prefix + k, dim] if given.
            maps: the encoder's attention maps are appended here if given, see `ViT.forward`.

        Returns:
            [b, tokens or tokens - k, patch * patch * 3] in the space of the training target.
        """
        latent = self.encoder(patches, visible, maps)
        if activations is not None:
            activations["latent"] = latent
        return self.decode(latent, visible, hidden, everything=everything)


def sincos_positions(dim: int, rows: int, cols: int, prefix: int) -> np.ndarray:
    """2-D sine-cosine positions, float32 [1, prefix + rows * cols, dim]; the prefix is zero.

    The first half encodes the column, the second the row, as `util/pos_embed.py` of
    facebookresearch/mae does; `dim` must be a multiple of 4.
    """
    omega = 1.0 / 10000 ** (np.arange(dim // 4, dtype=np.float64) / (dim / 4))
    y, x = np.mgrid[:rows, :cols].reshape(2, -1, 1).astype(np.float64)
    parts = [np.sin(x * omega), np.cos(x * omega), np.sin(y * omega), np.cos(y * omega)]
    table = np.concatenate(parts, axis=1)
    return np.concatenate([np.zeros((prefix, dim)), table])[None].astype(np.float32)
