"""Attention rollout: what a token has gathered over all layers (Abnar & Zuidema 2020)."""

from typing import Literal

import torch
from torch import Tensor

from workbench.errors import BadInput, shown
from workbench.explain.attention import AttentionMaps

Fuse = Literal["mean", "max", "min"]


def rollout(
    found: AttentionMaps,
    *,
    fuse: Fuse = "mean",
    discard: float = 0.0,
    start: int = 0,
    query: int | None = None,
) -> Tensor:
    """What the class token, or a patch, has gathered from each patch, [b, rows, cols].

    Each layer counts as (fuse over heads of A + I) / 2 with rows that sum to 1; the query's row is
    carried from the last layer to the first, so that no product of matrices is made. Where patches
    were dropped they keep what they have.

    Args:
        found: all layers from `start` on, see `attention_maps`.
        fuse: how heads become one map.
        discard: share of the entries, from the lowest, that is set to zero before; entries that
            read the tokens in front of the patches stay.
        start: first layer that counts.
        query: a patch; None for the class token, or the mean over patches where there is none.

    Returns:
        Shares of the patches; with what goes to the tokens in front of them they sum to 1.

    Raises:
        BadInput: no such layer or patch, or a share outside 0 to 1.
    """
    total = found.prefix + found.grid.size
    if query is not None and not 0 <= query < found.grid.size:
        raise BadInput(f"the query is patch {query}, wanted 0 to {found.grid.size - 1}.")
    first = found.map(found.layers[0])
    row = torch.zeros(len(first), 1, total, device=first.device)
    if query is not None:
        row[..., found.prefix + query] = 1
    elif found.class_token:
        row[..., 0] = 1
    else:
        row[..., found.prefix :] = 1 / found.grid.size
    for fused in reversed(_fused(found, fuse, discard, start)):
        row = row / (fused.sum(-1) + 1)[:, None]
        row = row @ fused + row
    return row[:, 0, found.prefix :].unflatten(1, (found.grid.rows, found.grid.cols))


def rollout_matrix(
    found: AttentionMaps, *, fuse: Fuse = "mean", discard: float = 0.0, start: int = 0
) -> Tensor:
    """The whole rollout [b, t, t], rows sum to 1; see `rollout`."""
    made = steps(found, fuse=fuse, discard=discard, start=start)
    whole = made[0]
    for step in made[1:]:
        whole = step @ whole
    return whole


def steps(found: AttentionMaps, *, fuse: Fuse, discard: float, start: int) -> list[Tensor]:
    """One matrix [b, t, t] a layer, from `start` on, rows sum to 1."""
    made: list[Tensor] = []
    for fused in _fused(found, fuse, discard, start):
        whole = fused + torch.eye(fused.shape[-1], device=fused.device)
        made.append(whole / whole.sum(-1, keepdim=True))
    return made


def _fused(found: AttentionMaps, fuse: Fuse, discard: float, start: int) -> list[Tensor]:
    if not 0 <= discard < 1:
        raise BadInput(f"discard is {shown(discard)}, wanted a share from 0 up to 1; take 0.9.")
    layers = [layer for layer in found.layers if layer >= start]
    if not layers:
        raise BadInput(f"start is {start}, but the layers are {found.layers}; take 0.")
    return [_one(found, layer, fuse, discard) for layer in layers]


def _one(found: AttentionMaps, layer: int, fuse: Fuse, discard: float) -> Tensor:
    """The heads as one map [b, t, t] in single precision, its lowest entries set to zero."""
    maps = found.full(layer)
    if fuse == "mean":
        one = maps.mean(1, dtype=torch.float32)
    else:
        one = (maps.amax(1) if fuse == "max" else maps.amin(1)).float()
    count = int(discard * one[0].numel())
    if count:
        read = one[..., found.prefix :]
        lowest = torch.kthvalue(read.flatten(1), min(count, read[0].numel()), dim=1).values
        kept = torch.where(read > lowest[:, None, None], read, 0)
        one = torch.cat([one[..., : found.prefix], kept], dim=-1)
    return one
