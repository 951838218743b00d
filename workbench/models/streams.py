"""Several aligned maps of one scene as one sequence: modalities or bands, any of them missing."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from workbench.models.cross import CrossBlock
from workbench.models.mae import DecoderShape, sincos_positions
from workbench.models.transformer import Block, PatchEmbed, ViT, ViTShape, gather_tokens


class Streams(nn.Module):
    """An encoder of the tokens of several maps; cell f * n + i is patch i of map f.

    Every map has a patch embedding of its own (that of the first is the ViT's); positions are
    shared. With `named` each map also has a learnt token added to all of its patches; without, the
    bias of its embedding tells the maps apart.
    """

    def __init__(self, shape: ViTShape, channels: Sequence[int], named: bool) -> None:
        super().__init__()
        self.classes = 0  # of labels, where one of the maps holds them
        self.encoder = ViT(shape, channels[0])
        self.embeds = nn.ModuleList(
            PatchEmbed(shape.patch, shape.dim, count) for count in channels[1:]
        )
        self.stream_token = (
            nn.Parameter(torch.zeros(len(channels), 1, shape.dim)) if named else None
        )

    def embedded(self, maps: Sequence[Tensor | None], visible: Tensor) -> Tensor:
        """What enters the first block, [b, prefix + k, dim].

        Args:
            maps: patches [b, n, patch * patch * channels] of each map; None for a missing one, of
                which nothing may be visible.
            visible: int64 [b, k], cells of [maps, patches] row by row.
        """
        vit = self.encoder
        place = vit.pos_embed[:, vit.pos_embed.shape[1] - vit.shape.tokens :]
        known = next(each for each in maps if each is not None)
        rows: list[Tensor] = []
        for f, patches in enumerate(maps):
            if patches is None:
                x = known.new_zeros(len(known), vit.shape.tokens, vit.shape.dim)
            else:
                x = (vit.patch_embed if f == 0 else self.embeds[f - 1])(patches) + place
            rows.append(x if self.stream_token is None else x + self.stream_token[f])
        x = gather_tokens(torch.cat(rows, dim=1), visible)
        return torch.cat([*vit.front(len(x), x), x], dim=1)

    def forward(self, maps: Sequence[Tensor | None], visible: Tensor) -> Tensor:
        """Encode the visible cells, [b, k, dim], after the last norm and without the prefix."""
        vit = self.encoder
        return vit.norm(vit.states(self.embedded(maps, visible))[-1])[:, vit.shape.prefix :]


class StreamDecoder(nn.Module):
    """Predict all patches of one map: its tokens ask all encoded ones, then each other.

    One cross-attention and `decoder.depth` blocks, as MultiMAE's `SpatialOutputAdapter` has them;
    there the cross-attention is not residual.
    """

    place: Tensor

    def __init__(
        self, shape: ViTShape, decoder: DecoderShape, streams: int, stream: int, width: int
    ) -> None:
        super().__init__()
        d = decoder.dim
        self.stream, self.patches = stream, shape.tokens
        self.embed = nn.Linear(shape.dim, d)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, d))
        self.stream_token = nn.Parameter(torch.zeros(streams, 1, d))
        table = torch.from_numpy(sincos_positions(d, shape.rows, shape.cols, 0))
        self.register_buffer("place", table)
        self.cross = CrossBlock(d, decoder.heads, decoder.hidden, shape.eps)
        self.blocks = nn.ModuleList(
            Block(d, decoder.heads, decoder.hidden, eps=shape.eps) for _ in range(decoder.depth)
        )
        self.norm = nn.LayerNorm(d, shape.eps)
        self.pred = nn.Linear(d, width)

    def forward(self, latent: Tensor, visible: Tensor) -> Tensor:
        """[b, k, dim] of the visible cells, int64 [b, k], to [b, n, width]."""
        seen = self.embed(latent)
        b, _, d = seen.shape
        cells = (self.stream_token + self.place).to(seen.dtype).flatten(0, 1)
        context = seen + cells[visible]
        index = visible.unsqueeze(-1).expand(-1, -1, d)
        blank = self.mask_token.to(seen.dtype).expand(b, len(cells), d)
        whole = blank.scatter(1, index, seen) + cells
        own = slice(self.stream * self.patches, (self.stream + 1) * self.patches)
        x = self.cross(whole[:, own], context)
        for block in self.blocks:
            x = block(x)
        return self.pred(self.norm(x))
