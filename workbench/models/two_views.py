"""Complete one view of a scene with the help of another: shared encoder, cross-attention."""

import torch
from torch import Tensor, nn

from workbench.models.cross import DecoderBlock
from workbench.models.mae import DecoderShape, sincos_positions
from workbench.models.transformer import ViT, ViTShape


class TwoViews(nn.Module):
    """A ViT for both views, and a decoder of the first one that asks the second (CroCo)."""

    decoder_place: Tensor

    def __init__(self, shape: ViTShape, decoder: DecoderShape) -> None:
        super().__init__()
        d = decoder.dim
        self.encoder = ViT(shape)
        self.decoder_embed = nn.Linear(shape.dim, d)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, d))
        table = torch.from_numpy(sincos_positions(d, shape.rows, shape.cols, 0))
        self.register_buffer("decoder_place", table)
        self.decoder_blocks = nn.ModuleList(
            DecoderBlock(d, decoder.heads, decoder.hidden, shape.eps) for _ in range(decoder.depth)
        )
        self.decoder_norm = nn.LayerNorm(d, shape.eps)
        self.decoder_pred = nn.Linear(d, shape.patch**2 * 3)

    def tokens(self, patches: Tensor, visible: Tensor | None = None) -> Tensor:
        """Encode a view, [b, k, dim]; `visible` int64 [b, k], None for the whole view."""
        return self.encoder(patches, visible)[:, self.encoder.shape.prefix :]

    def forward(self, first: Tensor, second: Tensor, visible: Tensor) -> Tensor:
        """Predict every patch of the first view, [b, n, patch * patch * 3].

        Args:
            first: [b, n, p] patches, of which only the `visible` ones, int64 [b, k], are read.
            second: [b, n, p], read whole.
            visible: patches of the first view that are not hidden.
        """
        seen = self.decoder_embed(self.tokens(first, visible))
        place = self.decoder_place.to(seen.dtype)
        asked = self.decoder_embed(self.tokens(second)) + place
        b, n, d = asked.shape
        whole = self.mask_token.to(seen.dtype).expand(b, n, d)
        x = whole.scatter(1, visible.unsqueeze(-1).expand(-1, -1, d), seen) + place
        for block in self.decoder_blocks:
            x = block(x, asked)
        return self.decoder_pred(self.decoder_norm(x))
