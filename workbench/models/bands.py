"""A ViT over pictures of many bands, of each patch of which any bands may be hidden."""

import torch
from torch import Tensor, nn

from workbench.models.standard import Standard
from workbench.models.transformer import ViT, ViTShape


class BandEncoder(nn.Module):
    """A ViT whose embedding of a patch is a sum over bands, a hidden band giving a learnt token.

    With every band of a patch hidden the sum is one token, as in SimMIM; with none it is the plain
    embedding.
    """

    def __init__(self, shape: ViTShape, bands: int) -> None:
        super().__init__()
        self.bands = bands
        self.encoder = ViT(shape, bands)
        self.band_token = nn.Parameter(torch.zeros(bands, shape.dim))
        self.standard = Standard(bands)
        self.head = nn.Linear(shape.dim, shape.patch**2 * bands)

    def tokens(self, patches: Tensor, hidden: Tensor) -> Tensor:
        """Patch tokens after the last norm, [b, n, dim].

        Args:
            patches: [b, n, patch * patch, bands]; not read where hidden.
            hidden: bool [b, n, bands].
        """
        vit = self.encoder
        seen = patches.masked_fill(hidden.unsqueeze(2), 0)
        x = vit.patch_embed(seen.flatten(2)) + hidden.to(seen.dtype) @ self.band_token
        x = x + vit.pos_embed[:, vit.pos_embed.shape[1] - vit.shape.tokens :]
        x = torch.cat([*vit.front(len(x), x), x], dim=1)
        return vit.norm(vit.states(x)[-1])[:, vit.shape.prefix :]

    def forward(self, patches: Tensor, hidden: Tensor) -> Tensor:
        """Return what the head says of every patch, [b, n, patch * patch, bands]."""
        return self.head(self.tokens(patches, hidden)).unflatten(-1, (-1, self.bands))
