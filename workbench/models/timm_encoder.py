"""Plain timm vision transformers (timm `models/vision_transformer.py`) as our own ViT."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from workbench.errors import BadInput, shown
from workbench.models.assembly import assemble_encoder, block_count
from workbench.models.transformer import ViT, ViTShape

HEADS = {192: 3, 384: 6, 768: 12, 1024: 16, 1152: 16, 1280: 16, 1408: 16, 1664: 16}
IGNORED = ("head.", "head_drop.", "fc_norm.", "attn_pool.")
REFUSED = {
    "attn.q_norm": "normalises queries and keys",
    "attn.norm": "normalises inside its attention",
    "mlp.norm": "normalises inside its MLP",
    "mlp.w12": "has gated (SwiGLU) MLPs",
    "mlp.fc1_g": "has gated (SwiGLU) MLPs",
    "rope": "has rotary positions",
    "rel_pos": "has relative positions",
    "relative_position": "has relative positions in windows",
    "dist_token": "has a distillation token",
    "patch_embed.backbone": "starts with a convolutional network",
    "attns.": "runs attention in parallel",
}


def vit_from_timm(
    source: Mapping[str, Tensor] | nn.Module,
    heads: int | None = None,
    *,
    grid: tuple[int, int] | None = None,
    eps: float | None = None,
    origin: object = "the encoder",
) -> ViT:
    """Put the weights of a plain timm ViT into ours, which then equals its `forward_features`.

    Class and register tokens, LayerScale, `no_embed_class`, `pre_norm`, `qkv_bias=False` and a
    missing final norm are understood. Weights are shared, not copied. A state dict does not show
    another activation than exact GELU, nor rotary positions that a model keeps out of it.

    Args:
        source: a state dict, or a timm model (then nothing has to be guessed).
        heads: attention heads; by default the number timm's models of that width have.
        grid: patch rows and cols; by default a square.
        eps: of the LayerNorms; by default 1e-5 with `norm_pre` (CLIP) and 1e-6 without.
        origin: what to call the source in a refusal.

    Raises:
        BadInput: another architecture (what is not plain is named), or heads or grid unknown.
    """
    if isinstance(source, nn.Module):
        module: Any = source
        state = {k: v.detach() for k, v in source.state_dict().items()}
        refuse_other_architectures(state, origin)
        _check_activation(module, origin)
        heads = heads or int(module.blocks[0].attn.num_heads)
        grid = grid or tuple(module.patch_embed.grid_size)
        eps = eps or float(module.blocks[0].norm1.eps)
    else:
        state = dict(source)
        refuse_other_architectures(state, origin)
    state = {k: v for k, v in state.items() if not k.startswith(IGNORED)}
    shape = _shape(state, heads, grid, eps, origin)
    state.setdefault("patch_embed.proj.bias", torch.zeros(shape.dim))
    vit = assemble_encoder(state, shape, origin)
    foreign = sorted(set(state) - set(vit.state_dict()))
    if foreign:
        raise BadInput(
            f"{origin} holds {shown(foreign[0])}, which no plain ViT has; "
            "use a plain timm vision transformer."
        )
    return vit


def refuse_other_architectures(state: Mapping[str, Tensor], origin: object) -> None:
    """Say what keeps a state dict from being a plain ViT's, or return.

    Raises:
        BadInput: naming the first thing that is not plain.
    """
    next_step = "; use a plain timm vision transformer, such as vit_tiny_patch16_224."
    for part, what in REFUSED.items():
        if any(part in key for key in state):
            raise BadInput(f"{origin} {what}, wanted a plain ViT{next_step}")
    widths = [state.get(f"blocks.0.mlp.{name}.weight") for name in ("fc1", "fc2")]
    if (
        widths[0] is not None
        and widths[1] is not None
        and len(widths[0]) == 2 * widths[1].shape[-1]
    ):
        raise BadInput(f"{origin} has gated (SwiGLU) MLPs, wanted a plain ViT{next_step}")
    kernels = [k for k, v in state.items() if v.ndim == 4]
    attention = [k for k in state if "attn" in k or "attention" in k]
    if len(kernels) > 1 and not attention:
        raise BadInput(
            f"{origin} is a convolutional network ({len(kernels)} convolutions, no attention), "
            f"wanted a plain ViT{next_step}"
        )
    needed = ("patch_embed.proj.weight", "pos_embed", "blocks.0.attn.qkv.weight")
    missing = [name for name in needed if name not in state]
    if missing:
        first = next(iter(state), "nothing")
        raise BadInput(
            f"{origin} is of another architecture: it holds {shown(first)} but no {missing[0]}, "
            f"wanted a plain ViT{next_step}"
        )


def _check_activation(module: Any, origin: object) -> None:
    if getattr(module, "rope", None) is not None:
        raise BadInput(f"{origin} has rotary positions, wanted a plain ViT; use another model.")
    act = module.blocks[0].mlp.act
    if not isinstance(act, nn.GELU) or act.approximate != "none":
        raise BadInput(f"{origin} uses {type(act).__name__}, wanted exact GELU; use another model.")


def _shape(
    state: Mapping[str, Tensor],
    heads: int | None,
    grid: tuple[int, int] | None,
    eps: float | None,
    origin: object,
) -> ViTShape:
    weight = state["patch_embed.proj.weight"]
    if weight.ndim != 4 or weight.shape[1] != 3 or weight.shape[2] != weight.shape[3]:
        raise BadInput(
            f"{origin} embeds patches with {list(weight.shape)}, wanted [dim, 3, patch, patch]; "
            "use a model for RGB pictures and square patches."
        )
    dim, patch = int(weight.shape[0]), int(weight.shape[2])
    if heads is None and dim not in HEADS:
        raise BadInput(
            f"{origin} has width {dim} and does not say how many heads; pass heads=, "
            "often the width divided by 64."
        )
    registers = int(state["reg_token"].shape[1]) if "reg_token" in state else 0
    prefix = int("cls_token" in state) + registers
    hidden = state.get("blocks.0.mlp.fc1.weight", weight)
    rows, cols, embedded = _grid_of(
        int(state["pos_embed"].shape[1]), prefix, registers, grid, origin
    )
    pre_norm = "norm_pre.weight" in state
    return ViTShape(
        rows=rows,
        cols=cols,
        patch=patch,
        dim=dim,
        depth=block_count(state, "blocks."),
        heads=heads or HEADS[dim],
        hidden=int(hidden.shape[0]),
        class_token="cls_token" in state,
        registers=registers,
        positions_for_prefix=embedded,
        layer_scale="blocks.0.ls1.gamma" in state,
        pre_norm=pre_norm,
        qkv_bias="blocks.0.attn.qkv.bias" in state,
        final_norm="norm.weight" in state,
        eps=eps or (1e-5 if pre_norm else 1e-6),
    )


def _grid_of(
    positions: int, prefix: int, registers: int, grid: tuple[int, int] | None, origin: object
) -> tuple[int, int, bool]:
    """Rows, cols, and whether the prefix has positions (timm mostly leaves registers without)."""
    for embedded in (False, True) if registers else (True, False):
        count = positions - prefix * embedded
        side = math.isqrt(max(count, 0))
        if grid is None and count > 0 and side * side == count:
            return side, side, embedded
        if grid is not None and grid[0] * grid[1] == count:
            return grid[0], grid[1], embedded
    said = "a square grid" if grid is None else f"{grid[0]} x {grid[1]} patches"
    raise BadInput(
        f"{origin} has {positions} positions, which is not {said} and {prefix} more; pass grid=."
    )
