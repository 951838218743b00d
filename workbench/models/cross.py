"""Attention from some tokens to others, as regressors and models of two views need it."""

import torch
from torch import Tensor, nn

from workbench.models.transformer import Attention, Mlp, attend


class CrossAttention(nn.Module):
    """Multi-head attention of `asking` tokens to `asked` ones."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(dim, dim)
        self.kv = nn.Linear(dim, 2 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, asking: Tensor, asked: Tensor, keys: Tensor | None = None) -> Tensor:
        """[b, m, dim] and [b, n, dim] to [b, m, dim]; bool [b, n] says who may be asked."""
        b, m, d = asking.shape
        q = self.q(asking).view(b, m, self.heads, -1).transpose(1, 2)
        kv = self.kv(asked).view(b, asked.shape[1], 2, self.heads, -1)
        k, v = kv.permute(2, 0, 3, 1, 4).unbind(0)
        return self.proj(attend(q, k, v, keys).transpose(1, 2).reshape(b, m, d))


class CrossBlock(nn.Module):
    """Pre-norm attention to other tokens, then an MLP, both residual."""

    def __init__(self, dim: int, heads: int, hidden: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps)
        self.norm_asked = nn.LayerNorm(dim, eps)
        self.attn = CrossAttention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps)
        self.mlp = Mlp(dim, hidden)

    def forward(self, x: Tensor, asked: Tensor) -> Tensor:
        """[b, m, dim], attending to [b, n, dim], to [b, m, dim]."""
        x = x + self.attn(self.norm1(x), self.norm_asked(asked))
        return x + self.mlp(self.norm2(x))


class DecoderBlock(nn.Module):
    """Pre-norm attention to the tokens themselves, then to others, then an MLP, all residual."""

    def __init__(self, dim: int, heads: int, hidden: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps)
        self.attn = Attention(dim, heads)
        self.cross = CrossBlock(dim, heads, hidden, eps)

    def forward(self, x: Tensor, asked: Tensor) -> Tensor:
        """[b, m, dim], attending to itself and to [b, n, dim], to [b, m, dim]."""
        return self.cross(x + self.attn(self.norm1(x)), asked)


class CrossRegressor(nn.Module):
    """Tokens at given places, made from others by blocks of attention to those and to themselves.

    The queries of Chen et al., CAE (arXiv:2202.03026): in every block they ask the context and
    each other; the context itself stays as it is.
    """

    def __init__(self, dim: int, depth: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(CrossBlock(dim, heads, hidden) for _ in range(depth))
        self.norm = nn.LayerNorm(dim, 1e-6)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """[b, m, dim] queries and [b, n, dim] context to [b, m, dim]."""
        for block in self.blocks:
            x = block(x, torch.cat([context, x], dim=1))
        return self.norm(x)
