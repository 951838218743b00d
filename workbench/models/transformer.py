"""A plain vision transformer that drops tokens, returns its maps and runs fast; equal to timm's."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Above this length the explicit form loses more to memory traffic than the fused kernel costs.
EXPLICIT_TOKENS = 512


@dataclass(frozen=True, kw_only=True)
class ViTShape:
    """What a plain ViT is made of; enough to build one and to fill it from timm's weights.

    `rows` and `cols` count patches, `patch` is the side of a patch in pixels, `hidden` the width of
    the MLP. `positions_for_prefix` is False for timm's `no_embed_class` models, whose class and
    register tokens carry no position.
    """

    rows: int
    cols: int
    patch: int
    dim: int
    depth: int
    heads: int
    hidden: int
    class_token: bool = True
    registers: int = 0
    positions_for_prefix: bool = True
    layer_scale: bool = False
    pre_norm: bool = False
    final_norm: bool = True
    qkv_bias: bool = True
    eps: float = 1e-6

    @property
    def prefix(self) -> int:
        """Number of tokens in front of the patches."""
        return int(self.class_token) + self.registers

    @property
    def tokens(self) -> int:
        """Number of patches."""
        return self.rows * self.cols


def attend(q: Tensor, k: Tensor, v: Tensor, keys: Tensor | None = None) -> Tensor:
    """Softmax attention, [b, heads, tokens, head dim] each; explicit where that is the faster form.

    `keys` bool [b, tokens] says which tokens may be attended to, or, with four axes, is added to
    what the softmax reads, [b or 1, heads or 1, queries or 1, tokens]; None for all.

    On a CPU the fused kernel is slow in bf16 at the lengths of a masked encoder (about 3 times at
    197 tokens), so short bf16 sequences take the explicit form there.
    """
    if q.device.type == "cpu" and q.dtype == torch.bfloat16 and k.shape[2] <= EXPLICIT_TOKENS:
        return attention_map(q, k, keys) @ v
    if keys is not None:
        return F.scaled_dot_product_attention(
            q, k, v, keys if keys.ndim == 4 else keys[:, None, None]
        )
    return F.scaled_dot_product_attention(q, k, v)


def attended(
    q: Tensor, k: Tensor, v: Tensor, maps: list[Tensor] | None, keys: Tensor | None = None
) -> Tensor:
    """`attend`, and the attention map is appended to `maps` if given."""
    if maps is None:
        return attend(q, k, v, keys)
    maps.append(attention_map(q, k, keys))
    return maps[-1] @ v


def attention_map(q: Tensor, k: Tensor, keys: Tensor | None = None) -> Tensor:
    """softmax(q k^T / sqrt(d)), [b, heads, queries, keys]; `keys` as `attend` reads them."""
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    if keys is not None and keys.ndim == 4:
        scores = scores + keys
    elif keys is not None:
        scores = scores.masked_fill(~keys[:, None, None], float("-inf"))
    return scores.softmax(-1)


class Attention(nn.Module):
    """Multi-head self-attention with one fused qkv projection (parameter names are timm's)."""

    def __init__(self, dim: int, heads: int, qkv_bias: bool = True) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim)

    def forward(
        self,
        x: Tensor,
        tail: int | None = None,
        maps: list[Tensor] | None = None,
        keys: Tensor | None = None,
    ) -> Tensor:
        """Attend; with `tail` only the last `tail` tokens ask (all are asked).

        Args:
            x: [b, tokens, dim].
            tail: how many tokens at the end need an output; None for all.
            maps: the attention map [b, heads, queries, tokens] is appended here if given.
            keys: which tokens may be attended to, see `attend`; None for all.

        Returns:
            [b, tail or tokens, dim].
        """
        b, n, d = x.shape
        if tail is None:
            q, k, v = self.qkv(x).view(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
        else:
            w, bias = self.qkv.weight, self.qkv.bias
            q_bias = kv_bias = None
            if bias is not None:  # pyright: ignore[reportUnnecessaryComparison]
                q_bias, kv_bias = bias[:d], bias[d:]
            q = F.linear(x[:, -tail:], w[:d], q_bias).view(b, tail, self.heads, -1).transpose(1, 2)
            kv = F.linear(x, w[d:], kv_bias).view(b, n, 2, self.heads, -1)
            k, v = kv.permute(2, 0, 3, 1, 4).unbind(0)
        if keys is not None and tail is not None and keys.ndim == 4 and keys.shape[2] > 1:
            keys = keys[:, :, -tail:]
        out = attended(q, k, v, maps, keys)
        return self.proj(out.transpose(1, 2).reshape(b, -1, d))


class Mlp(nn.Module):
    """Two linear layers with an exact GELU between them (parameter names are timm's)."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        """[b, tokens, dim] to the same."""
        return self.fc2(F.gelu(self.fc1(x)))


class LayerScale(nn.Module):
    """A learnt gain per channel (parameter name is timm's)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        """Scale [b, tokens, dim]."""
        return x * self.gamma


class Block(nn.Module):
    """A pre-norm transformer block (parameter names are timm's)."""

    def __init__(
        self,
        dim: int,
        heads: int,
        hidden: int,
        *,
        qkv_bias: bool = True,
        layer_scale: bool = False,
        eps: float = 1e-6,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps)
        self.attn = Attention(dim, heads, qkv_bias)
        self.ls1 = LayerScale(dim) if layer_scale else nn.Identity()
        self.norm2 = nn.LayerNorm(dim, eps)
        self.mlp = Mlp(dim, hidden)
        self.ls2 = LayerScale(dim) if layer_scale else nn.Identity()

    def forward(
        self,
        x: Tensor,
        tail: int | None = None,
        maps: list[Tensor] | None = None,
        keys: Tensor | None = None,
    ) -> Tensor:
        """[b, tokens, dim] to [b, tail or tokens, dim]; see `Attention`."""
        y = self.attn(self.norm1(x), tail, maps, keys)
        x = (x if tail is None else x[:, -tail:]) + self.ls1(y)
        return x + self.ls2(self.mlp(self.norm2(x)))


class PatchEmbed(nn.Module):
    """Linear patch embedding stored as timm stores it, `proj.weight` [dim, 3, patch, patch]."""

    def __init__(self, patch: int, dim: int, channels: int = 3) -> None:
        super().__init__()
        self.proj = nn.Conv2d(channels, dim, patch, patch)

    def forward(self, patches: Tensor) -> Tensor:
        """Patches [b, n, patch * patch * channels] in `patchify`'s order to [b, n, dim]."""
        weight = self.proj.weight.permute(0, 2, 3, 1).reshape(self.proj.out_channels, -1)
        return F.linear(patches, weight, self.proj.bias)


class ViT(nn.Module):
    """A plain ViT encoder that embeds visible patches only (Dosovitskiy et al., arXiv:2010.11929).

    Fed all patches in order it equals `timm.models.VisionTransformer.forward_features` with the
    same weights; parameter names are timm's, so a timm state dict (without its head) loads as is.
    `channels` is that of a picture: other than 3 for bands, or for the frames of a cube of video.
    """

    def __init__(self, shape: ViTShape, channels: int = 3) -> None:
        super().__init__()
        self.shape = shape
        d = shape.dim
        self.patch_embed = PatchEmbed(shape.patch, d, channels)
        if shape.class_token:
            self.cls_token = nn.Parameter(torch.zeros(1, 1, d))
        if shape.registers:
            self.reg_token = nn.Parameter(torch.zeros(1, shape.registers, d))
        positions = shape.tokens + (shape.prefix if shape.positions_for_prefix else 0)
        self.pos_embed = nn.Parameter(torch.zeros(1, positions, d))
        self.norm_pre = nn.LayerNorm(d, shape.eps) if shape.pre_norm else nn.Identity()
        self.blocks = nn.ModuleList(
            Block(
                d,
                shape.heads,
                shape.hidden,
                qkv_bias=shape.qkv_bias,
                layer_scale=shape.layer_scale,
                eps=shape.eps,
            )
            for _ in range(shape.depth)
        )
        self.norm = nn.LayerNorm(d, shape.eps) if shape.final_norm else nn.Identity()

    def forward(
        self, patches: Tensor, visible: Tensor | None = None, maps: list[Tensor] | None = None
    ) -> Tensor:
        """Encode the visible patches; hidden ones are never read.

        Args:
            patches: [b, tokens, patch * patch * 3], ImageNet-normalised, all of them.
            visible: int64 [b, k] indices of the patches to encode; None for all, in order.
            maps: attention maps [b, heads, t, t], t = prefix + k, one a block, appended if given.

        Returns:
            [b, prefix + k, dim], normalised by the last LayerNorm.
        """
        x = self.embed(patches, visible)
        for block in self.blocks:
            x = block(x, None, maps)
        return self.norm(x)

    def embed(
        self,
        patches: Tensor,
        visible: Tensor | None = None,
        hidden: Tensor | None = None,
        token: Tensor | None = None,
    ) -> Tensor:
        """Return what enters the first block, [b, prefix + k, dim].

        Args:
            patches: [b, tokens, patch * patch * 3], ImageNet-normalised, all of them.
            visible: int64 [b, k] indices of the patches to embed; None for all, in order.
            hidden: bool [b, tokens], patches that `token` stands for; only with `visible` None.
            token: [1, 1, dim]; positions are added to it as to the others.
        """
        b = patches.shape[0]
        split = self.shape.prefix if self.shape.positions_for_prefix else 0
        place = self.pos_embed[:, split:].expand(b, -1, -1)
        if visible is not None:
            patches = gather_tokens(patches, visible)
            place = gather_tokens(place, visible)
        x = self.patch_embed(patches)
        if hidden is not None and token is not None:
            x = torch.where(hidden.unsqueeze(-1), token.to(x.dtype), x)
        x = x + place
        x = torch.cat([*self.front(b, x), x], dim=1)
        return self.norm_pre(x)

    def states(
        self, x: Tensor, count: int | None = None, keys: Tensor | None = None
    ) -> list[Tensor]:
        """Return what comes out of each of the first `count` blocks, not normalised.

        Args:
            x: [b, tokens, dim] from `embed`.
            count: blocks to run; None for all. Later ones cost nothing.
            keys: bool [b, tokens], which tokens may be attended to; None for all.
        """
        found: list[Tensor] = []
        for block in self.blocks[: self.shape.depth if count is None else count]:
            x = block(x, None, None, keys)
            found.append(x)
        return found

    def front(self, b: int, like: Tensor) -> list[Tensor]:
        """Return what stands in front of the patches, [b, prefix, dim] in a list, or nothing."""
        parts: list[Tensor] = []
        if self.shape.class_token:
            parts.append(self.cls_token)
        if self.shape.registers:
            parts.append(self.reg_token)
        if not parts:
            return []
        tokens = torch.cat(parts, dim=1)
        if self.shape.positions_for_prefix:
            tokens = tokens + self.pos_embed[:, : self.shape.prefix]
        return [tokens.expand(b, -1, -1).to(like.dtype)]


def gather_tokens(tokens: Tensor, index: Tensor) -> Tensor:
    """Pick tokens [b, n, d] by int64 index [b, k], giving [b, k, d].

    Whole rows are taken, which is 5 times as fast as to gather number by number.
    """
    b, n, d = tokens.shape
    if tokens.stride(0) == 0:  # one table for the whole batch
        return tokens[0].index_select(0, index.reshape(-1)).view(b, -1, d)
    rows = index + torch.arange(0, b * n, n, device=index.device).unsqueeze(1)
    return tokens.reshape(b * n, d).index_select(0, rows.view(-1)).view(b, -1, d)
