"""An encoder that reads every place, with one learnt token where the picture is hidden."""

import torch
from torch import Tensor, nn

from workbench.models.mae import DecoderShape, MaskedAutoencoder
from workbench.models.transformer import ViT, ViTShape, gather_tokens


class TokenEncoder(nn.Module):
    """A ViT over all patches, hidden ones replaced by a mask token, and a linear head on each.

    The form of BEiT and SimMIM. Parts that the head needs beside it are set as attributes.
    """

    def __init__(self, shape: ViTShape, width: int) -> None:
        super().__init__()
        self.encoder = ViT(shape)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, shape.dim))
        self.head = nn.Linear(shape.dim, width)

    def embedded(self, patches: Tensor, hidden: Tensor) -> Tensor:
        """What enters the first block; `hidden` bool [b, n] patches are not read."""
        return self.encoder.embed(patches, hidden=hidden, token=self.mask_token)

    def tokens(self, patches: Tensor, hidden: Tensor) -> Tensor:
        """All tokens after the last norm, [b, prefix + n, dim]."""
        x = self.embedded(patches, hidden)
        return self.encoder.norm(self.encoder.states(x)[-1])

    def forward(self, patches: Tensor, hidden: Tensor) -> Tensor:
        """Return what the head says of every patch, [b, n, width]."""
        return self.head(self.tokens(patches, hidden)[:, self.encoder.shape.prefix :])

    def of_hidden(self, patches: Tensor, visible: Tensor, hidden: Tensor) -> Tensor:
        """Return what the head says of the hidden patches alone; `forward` has the same numbers.

        Only visible patches are embedded, and only hidden ones ask in the last block and go through
        the head. Attention does not care that hidden tokens stand behind the visible ones.

        Args:
            patches: [b, n, patch * patch * 3].
            visible: int64 [b, k].
            hidden: int64 [b, n - k].

        Returns:
            [b, n - k, width].
        """
        encoder, b = self.encoder, len(patches)
        split = encoder.shape.prefix if encoder.shape.positions_for_prefix else 0
        places = encoder.pos_embed[:, split:].expand(b, -1, -1)
        x = encoder.embed(patches, visible)
        blank = self.mask_token.to(x.dtype) + gather_tokens(places, hidden).to(x.dtype)
        x = torch.cat([x, encoder.norm_pre(blank)], dim=1)
        *blocks, last = encoder.blocks
        for block in blocks:
            x = block(x)
        return self.head(encoder.norm(last(x, hidden.shape[1])))


class TokenAutoencoder(MaskedAutoencoder):
    """A trained `TokenEncoder` whose head says pixels, asked in the way of a masked autoencoder.

    Its weights have that one's names; there are no decoder's blocks.
    """

    def __init__(self, shape: ViTShape) -> None:
        nn.Module.__init__(self)
        self.shape, self.decoder_shape = shape, DecoderShape(depth=0)
        self.encoder = ViT(shape)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, shape.dim))
        self.head = nn.Linear(shape.dim, shape.patch**2 * 3)
        places = torch.zeros(1, shape.prefix + shape.tokens, 1)  # of a decoder there is none
        self.decoder_pos_embed = nn.Parameter(places, requires_grad=False)
        self.decoder_blocks = nn.ModuleList()

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
        """See `MaskedAutoencoder.forward`; maps are over all places, hidden ones included."""
        flags = torch.zeros(patches.shape[:2], dtype=torch.bool, device=patches.device)
        flags.scatter_(1, hidden.expand(len(patches), -1), True)
        x = self.encoder.embed(patches, hidden=flags, token=self.mask_token)
        for block in self.encoder.blocks:
            x = block(x, None, maps)
        x, prefix = self.encoder.norm(x), self.shape.prefix
        if activations is not None:
            seen = gather_tokens(x[:, prefix:], visible)
            activations["latent"] = torch.cat([x[:, :prefix], seen], dim=1)
        said = self.head(x[:, prefix:])
        return said if everything else gather_tokens(said, hidden)


def mean_where(values: Tensor, where: Tensor) -> Tensor:
    """Mean of values [b, n] where bool [b, n] is set, over the whole batch; 0 where nothing is."""
    weight = where.to(values.dtype)
    return (values * weight).sum() / weight.sum().clamp_min(1)
