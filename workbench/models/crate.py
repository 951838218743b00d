"""White-box transformer blocks: compress by subspace attention, then one step of sparse coding."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.models.transformer import attend, attended

STEP, SPARSITY = 0.1, 0.1


class SubspaceAttention(nn.Module):
    """Attention in which queries, keys and values are one projection, W = U^T z."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, dim, bias=False)
        self.proj = nn.Linear(dim, dim)

    def forward(
        self,
        x: Tensor,
        tail: int | None = None,
        maps: list[Tensor] | None = None,
        keys: Tensor | None = None,
    ) -> Tensor:
        """[b, tokens, dim] to [b, tail or tokens, dim]: softmax(W W^T / sqrt(d)) W, projected."""
        b, n, d = x.shape
        w = self.qkv(x).view(b, n, self.heads, -1).transpose(1, 2)
        asking = w if tail is None else w[:, :, -tail:]
        out = attended(asking, w, w, maps) if keys is None else attend(asking, w, w, keys)
        return self.proj(out.transpose(1, 2).reshape(b, -1, d))


class Ista(nn.Module):
    """One proximal step towards a sparse code z of x = D z, from z = x.

    relu(z + eta (D^T z - D^T D z) - eta lambda) with a learnt dictionary D [dim, dim].
    """

    def __init__(self, dim: int, step: float = STEP, sparsity: float = SPARSITY) -> None:
        super().__init__()
        self.step, self.sparsity = step, sparsity
        self.dictionary = nn.Parameter(torch.empty(dim, dim))
        nn.init.kaiming_uniform_(self.dictionary)

    def forward(self, z: Tensor) -> Tensor:
        """[b, tokens, dim] to the same, no number below 0."""
        back = self.dictionary.T
        gap = F.linear(z, back) - F.linear(F.linear(z, self.dictionary), back)
        return F.relu(z + self.step * gap - self.step * self.sparsity)


class CrateBlock(nn.Module):
    """A step that compresses and a step that makes sparse; stands for a transformer block."""

    def __init__(self, dim: int, heads: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps)
        self.attn = SubspaceAttention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps)
        self.ista = Ista(dim)

    def forward(
        self,
        x: Tensor,
        tail: int | None = None,
        maps: list[Tensor] | None = None,
        keys: Tensor | None = None,
    ) -> Tensor:
        """[b, tokens, dim] to [b, tail or tokens, dim]."""
        y = self.attn(self.norm1(x), tail, maps, keys)
        x = (x if tail is None else x[:, -tail:]) + y
        return self.ista(self.norm2(x))


class CrateDecoderBlock(nn.Module):
    """The way back: a linear map, then the attention is taken away."""

    def __init__(self, dim: int, heads: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps)
        self.linear = nn.Linear(dim, dim, bias=False)
        self.norm2 = nn.LayerNorm(dim, eps)
        self.attn = SubspaceAttention(dim, heads)

    def forward(
        self,
        x: Tensor,
        tail: int | None = None,
        maps: list[Tensor] | None = None,
        keys: Tensor | None = None,
    ) -> Tensor:
        """[b, tokens, dim] to [b, tail or tokens, dim]."""
        x = self.linear(self.norm1(x))
        y = self.attn(self.norm2(x), tail, maps, keys)
        return (x if tail is None else x[:, -tail:]) - y


def coding_rate(tokens: Tensor, attention: SubspaceAttention, eps: float = 0.5) -> Tensor:
    """R^c of tokens Z under an attention's subspaces U_k: sum logdet(I + a Z^T U_k U_k^T Z) / 2.

    a = p / (n eps^2) for n tokens and subspaces of p dimensions; tokens have unit length first.

    Args:
        tokens: [b, n, dim].
        attention: whose projection holds the subspaces.
        eps: distortion.

    Returns:
        [b], in nats; small where the tokens lie in few directions of each subspace.
    """
    b, n, _ = tokens.shape
    w = attention.qkv(F.normalize(tokens, dim=-1)).view(b, n, attention.heads, -1).transpose(1, 2)
    p = w.shape[-1]
    gram = w.float().transpose(-1, -2) @ w.float() * (p / (n * eps**2))
    return torch.logdet(torch.eye(p, device=w.device) + gram).sum(1) / 2
