"""How far, how evenly and how differently heads look: distance, entropy, diversity."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from workbench.explain.attention import AttentionMaps
from workbench.masks import Grid


@dataclass(frozen=True, eq=False)
class HeadMeasures:
    """One value a layer and head, float [layers, heads], means over pictures and queries.

    `distance` in pixels between a patch and what it reads, patches alone, rows weighed anew to sum
    to 1; `entropy` of what all tokens read, over its maximum, 0 to 1; `diversity` [layers] is 1
    minus the mean cosine between the maps of two heads, 0 for equal ones (and where there is one).
    """

    layers: list[int]
    distance: Tensor
    entropy: Tensor
    diversity: Tensor


def head_measures(found: AttentionMaps) -> HeadMeasures:
    """Measure each head of each layer, as Raghu et al. (arXiv:2108.08810) do for distance."""
    rows = [_measure(found, layer) for layer in found.layers]
    distance, entropy, diversity = (torch.stack(each) for each in zip(*rows, strict=True))
    return HeadMeasures(found.layers, distance, entropy, diversity)


def _measure(found: AttentionMaps, layer: int) -> tuple[Tensor, Tensor, Tensor]:
    maps = found.map(layer).float()
    heads, t = maps.shape[1:3]
    apart = patch_distances(found.grid).to(maps.device)
    patches = found.patches[layer]
    places = torch.arange(found.grid.size, device=maps.device)[None] if patches is None else patches
    apart = apart[places[:, :, None], places[:, None, :]][:, None]
    between = maps[:, :, found.prefix :, found.prefix :]
    between = between / between.sum(-1, keepdim=True).clamp(min=1e-12)
    distance = (between * apart).sum(-1).mean((0, 2))
    entropy = torch.special.entr(maps).sum(-1).mean((0, 2)) / math.log(max(t, 2))
    flat = F.normalize(maps.flatten(2), dim=-1)
    alike = (flat @ flat.transpose(1, 2)).sum((1, 2)) - heads
    pairs = heads * (heads - 1)
    diversity = 1 - alike.mean() / pairs if pairs else alike.new_zeros(())
    return distance, entropy, diversity


def patch_distances(grid: Grid) -> Tensor:
    """Distances between centres of patches in pixels, [n, n]."""
    y, x = torch.meshgrid(torch.arange(grid.rows), torch.arange(grid.cols), indexing="ij")
    place = torch.stack([y, x], -1).reshape(-1, 2).float() * grid.patch
    return torch.cdist(place, place)
