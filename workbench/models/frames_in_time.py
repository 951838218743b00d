"""A transformer over the columns of a spectrogram."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.models.mae import sincos_positions
from workbench.models.standard import Standard
from workbench.models.transformer import Block, ViTShape


class SpectrogramEncoder(nn.Module):
    """Columns of all mel bands in, tokens out; `patch` columns make one token.

    Positions are fixed sines of the time. The head is TERA's: a layer, GELU, a norm, and a linear
    layer back to the columns. `standard` holds the units of the data.
    """

    place: Tensor

    def __init__(self, shape: ViTShape) -> None:
        super().__init__()
        self.columns, bands, d = shape.patch, shape.rows * shape.patch, shape.dim
        self.standard = Standard(1)
        self.embed = nn.Linear(bands * self.columns, d)
        self.norm_in = nn.LayerNorm(d, shape.eps)
        table = torch.from_numpy(sincos_positions(2 * d, 1, shape.cols, 0)[..., :d])
        self.register_buffer("place", table)
        self.blocks = nn.ModuleList(
            Block(d, shape.heads, shape.hidden, eps=shape.eps) for _ in range(shape.depth)
        )
        self.norm = nn.LayerNorm(d, shape.eps)
        self.dense = nn.Linear(d, d)
        self.norm_head = nn.LayerNorm(d, shape.eps)
        self.head = nn.Linear(d, bands * self.columns)

    def tokens(self, values: Tensor) -> Tensor:
        """Standardised spectrograms [b, bands, time] to [b, time / patch, dim]."""
        x = self.embed(values.transpose(1, 2).unflatten(1, (-1, self.columns)).flatten(2))
        x = self.norm_in(x + self.place.to(x.dtype))
        for block in self.blocks:
            x = block(x)
        return self.norm(x)

    def forward(self, values: Tensor) -> Tensor:
        """Predict all of [b, bands, time] from an altered one."""
        y = self.head(self.norm_head(F.gelu(self.dense(self.tokens(values)))))
        return y.unflatten(2, (self.columns, -1)).flatten(1, 2).transpose(1, 2)
