"""Predict embeddings of target patches from those of context patches: parts of the JEPA family."""

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from workbench.masks import Mask
from workbench.models.cross import CrossBlock
from workbench.models.mae import sincos_positions
from workbench.models.transformer import Block, ViT, ViTShape, gather_tokens

NEIGHBOURS = 8


def padded(cells: Tensor) -> tuple[Tensor, Tensor]:
    """Return the numbers of set cells, as many as the fullest row has, and which are real.

    Args:
        cells: bool [b, n]; rows may hold different counts.

    Returns:
        int64 [b, m] and bool [b, m], m at least 1; numbers beyond a row's own are of cells not set.
    """
    longest = max(1, int(cells.sum(1).max()))
    order = cells.to(torch.uint8).sort(dim=1, descending=True, stable=True).indices
    index = order[:, :longest]
    return index, cells.gather(1, index)


def target_blocks(mask: Mask, like: Tensor) -> Tensor:
    """Return what is to be predicted, bool [b, blocks, n]: the mask's targets, or all it hides."""
    named = mask.hidden[:, None] if mask.targets is None else mask.targets
    return torch.from_numpy(named.reshape(*named.shape[:2], -1).copy()).to(like.device)


def encode(encoder: ViT, patches: Tensor, index: Tensor, real: Tensor) -> Tensor:
    """Encode rows of different length, [b, m, dim]; patches that are not real are not attended to.

    The encoder has no class token. What stands at places that are not real means nothing.
    """
    keys = real | ~real.any(1, keepdim=True)  # an empty row must not divide by zero
    return encoder.norm(encoder.states(encoder.embed(patches, index), keys=keys)[-1])


class Predictor(nn.Module):
    """A narrow transformer that says what stands at target places, from context embeddings."""

    def __init__(self, shape: ViTShape, dim: int, depth: int, heads: int) -> None:
        super().__init__()
        self.embed = nn.Linear(shape.dim, dim)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, dim))
        table = torch.from_numpy(sincos_positions(dim, shape.rows, shape.cols, 0))
        self.register_buffer("places", table, persistent=False)
        self.blocks = nn.ModuleList(Block(dim, heads, 4 * dim) for _ in range(depth))
        self.norm = nn.LayerNorm(dim, shape.eps)
        self.head = nn.Linear(dim, shape.dim)

    def forward(
        self, context: tuple[Tensor, Tensor, Tensor], targets: tuple[Tensor, Tensor]
    ) -> Tensor:
        """Predict each block by itself.

        Args:
            context: embeddings [b, m, dim], their places int64 [b, m], which are real bool [b, m].
            targets: places int64 [b, t], which are real bool [b, t].

        Returns:
            [b, t, dim of the encoder].
        """
        seen, where, real = context
        places = cast(Tensor, self.places).expand(len(seen), -1, -1)
        given = self.embed(seen) + gather_tokens(places, where)
        asked = self.mask_token + gather_tokens(places, targets[0])
        keys = torch.cat([real, targets[1]], dim=1)
        x = torch.cat([given, asked.to(given.dtype)], dim=1)
        for block in self.blocks:
            x = block(x, None, None, keys)
        return self.head(self.norm(x[:, -asked.shape[1] :]))


def predicted(
    model: nn.Module,
    patches: Tensor,
    mask: Mask,
    residual: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Predict every target block from the context of its picture.

    Args:
        model: with `encoder` and `predictor`.
        patches: [b, n, p], ImageNet-normalised; those outside the context are not read.
        mask: hides what is no context; see `target_blocks`.
        residual: changes the context's embeddings before the predictor, if given.

    Returns:
        Embeddings [b * blocks, t, dim], their places int64 and which are real bool, both
        [b * blocks, t]; blocks of one picture stand next to each other.
    """
    blocks = target_blocks(mask, patches)
    hidden = torch.from_numpy(mask.hidden.reshape(len(mask), -1).copy()).to(patches.device)
    index, real = padded(~hidden)
    seen = encode(cast(ViT, model.encoder), patches, index, real)
    if residual is not None:
        seen = residual(seen, real)
    targets = padded(blocks.flatten(0, 1))
    many = blocks.shape[1]
    context = tuple(each.repeat_interleave(many, 0) for each in (seen, index, real))
    predictor = cast(Predictor, model.predictor)
    return predictor(cast("tuple[Tensor, Tensor, Tensor]", context), targets), *targets


def neighbours(rows: int, cols: int) -> tuple[Tensor, Tensor]:
    """Return each patch's up to 8 neighbours, int64 [n, 8], and which exist, bool [n, 8].

    A border has 5 and a corner 3; the table does not wrap round. Numbers that do not exist are 0.
    """
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(cols), indexing="ij")
    steps = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]
    below = torch.stack([y.flatten() + i for i, _ in steps], dim=1)
    beside = torch.stack([x.flatten() + j for _, j in steps], dim=1)
    there = (below >= 0) & (below < rows) & (beside >= 0) & (beside < cols)
    return torch.where(there, below * cols + beside, 0), there


class LocalHead(nn.Module):
    """Two blocks of attention that gather a patch's most similar neighbours (DMT-JEPA)."""

    def __init__(self, shape: ViTShape, most: int) -> None:
        super().__init__()
        self.most = most
        self.blocks = nn.ModuleList(
            CrossBlock(shape.dim, shape.heads, shape.hidden) for _ in range(2)
        )
        self.norm = nn.LayerNorm(shape.dim, shape.eps)
        index, there = neighbours(shape.rows, shape.cols)
        self.register_buffer("index", index, persistent=False)
        self.register_buffer("there", there, persistent=False)

    def chosen(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Numbers of the `most` neighbours of highest cosine, int64 [b, n, most], and existence."""
        index, there = cast(Tensor, self.index), cast(Tensor, self.there)
        unit = nn.functional.normalize(x.float(), dim=-1)
        with torch.autocast(x.device.type, enabled=False):  # in bf16 a fifth of them would differ
            like = (unit @ unit.transpose(1, 2)).gather(2, index.expand(len(x), -1, -1))
        like = like.masked_fill(~there, -2.0)
        best = like.topk(min(self.most, NEIGHBOURS), dim=-1).indices
        n = torch.arange(len(index), device=x.device)[:, None]
        return index[n, best], there[n, best]

    def local(self, x: Tensor) -> Tensor:
        """All tokens [b, n, dim], each gathered from its neighbours by the picture's mean token."""
        b, n, d = x.shape
        numbers, there = self.chosen(x)
        own = torch.arange(n, device=x.device)[:, None]
        numbers = torch.where(there, numbers, own)  # a corner has fewer: it stands in itself
        near = x.gather(1, numbers.reshape(b, -1, 1).expand(-1, -1, d)).view(b * n, -1, d)
        token = x.mean(1, keepdim=True).expand(-1, n, -1).reshape(b * n, 1, d)
        for block in self.blocks:
            token = block(token, torch.cat([token, near], dim=1))
        return self.norm(token.view(b, n, d))

    def pooled(self, x: Tensor, real: Tensor) -> Tensor:
        """Add to context tokens [b, m, dim] what their mean asks of them; bool [b, m] are real."""
        for block in cast("list[CrossBlock]", self.blocks):
            weight = real.to(x.dtype).unsqueeze(-1)
            token = (x * weight).sum(1, keepdim=True) / weight.sum(1, keepdim=True).clamp_min(1)
            keys = torch.cat([torch.ones_like(real[:, :1]), real], dim=1)
            asked = block.norm_asked(torch.cat([token, x], dim=1))
            x = x + block.attn(block.norm1(token), asked, keys)
            x = x + block.mlp(block.norm2(x))
        return self.norm(x)
