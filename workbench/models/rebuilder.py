"""A small transformer that restores masked features from the others."""

import torch
from torch import Tensor, nn

from workbench.models.mae import sincos_positions
from workbench.models.transformer import Block, ViTShape


class Rebuilder(nn.Module):
    """Features of a ViT with some masked, in; all of them restored, out. Positions are fixed."""

    positions: Tensor

    def __init__(self, shape: ViTShape, depth: int) -> None:
        super().__init__()
        d = shape.dim
        self.mask_token = nn.Parameter(torch.zeros(1, 1, d))
        table = torch.from_numpy(sincos_positions(d, shape.rows, shape.cols, 0))
        self.register_buffer("positions", table)
        self.blocks = nn.ModuleList(
            Block(d, shape.heads, shape.hidden, eps=shape.eps) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(d, shape.eps)

    def forward(self, features: Tensor, hidden: Tensor) -> Tensor:
        """[b, n, dim] with bool [b, n] of those that are not read, to [b, n, dim]."""
        x = torch.where(hidden.unsqueeze(-1), self.mask_token.to(features.dtype), features)
        x = x + self.positions.to(x.dtype)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)
