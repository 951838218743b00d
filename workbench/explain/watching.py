"""Read attention maps while a network runs, whatever kernel it runs: nothing in it is switched.

Our own attention is asked for its map. That of timm is computed beside it from its own normalised
queries and keys, its rotary positions and its mask, so that fused kernels stay.
"""

from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.models.network import Network
from workbench.models.transformer import Attention


@dataclass(eq=False)
class Watched:
    """What was read, by layer: maps [b, heads, t, t], head outputs and values where asked for."""

    maps: dict[int, Tensor] = field(default_factory=dict[int, Tensor])
    outputs: dict[int, Tensor] = field(default_factory=dict[int, Tensor])
    values: dict[int, Tensor] = field(default_factory=dict[int, Tensor])


@contextmanager
def watching(
    network: Network, layers: Sequence[int], *, values: bool = False
) -> Generator[Watched]:
    """Read the maps of some layers of everything that runs within the block.

    Interventions that are there already are seen, for their hooks run before these.

    Args:
        network: a ViT, see `Network.check_maps`.
        layers: which blocks, from 0.
        values: also keep what heads give before they are mixed, [b, t, heads * d], and the values
            [b, heads, t, d], both as parts of the graph; of timm's attention alone.

    Raises:
        BadInput: the network has no such maps.
    """
    network.check_maps()
    with watched([network.attention(layer) for layer in layers], layers, values=values) as found:
        yield found


@contextmanager
def watched(
    modules: Sequence[nn.Module], layers: Sequence[int], *, values: bool = False
) -> Generator[Watched]:
    """As `watching`, for attention modules, which get the numbers `layers`."""
    found = Watched()
    with ExitStack() as hooks:
        for layer, module in zip(layers, modules, strict=True):
            attach = _ours if isinstance(module, Attention) else _timm
            for handle in attach(module, layer, found, values):
                hooks.callback(handle.remove)
        yield found


def _ours(module: Any, layer: int, found: Watched, values: bool) -> list[Any]:
    def before(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        x, tail, maps, keys = (*args, *(None,) * (4 - len(args)))
        maps = kwargs.get("maps", maps)
        tail, keys = kwargs.get("tail", tail), kwargs.get("keys", keys)
        return (x, tail, [] if maps is None else maps, keys), {}

    def after(module: nn.Module, args: tuple[Any, ...], kwargs: Any, out: Tensor) -> None:
        found.maps[layer] = args[2][-1]

    return [
        module.register_forward_pre_hook(before, with_kwargs=True),
        module.register_forward_hook(after, with_kwargs=True),
    ]


def _timm(module: Any, layer: int, found: Watched, values: bool) -> list[Any]:
    read: dict[str, Any] = {}

    def keep(name: str) -> Any:
        def hook(module: nn.Module, args: tuple[Any, ...], out: Tensor) -> None:
            read[name] = out

        return hook

    def outputs(module: nn.Module, args: tuple[Any, ...]) -> None:
        found.outputs[layer] = args[0]

    def after(
        module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], out: Tensor
    ) -> None:
        given = {**dict(zip(("rope", "attn_mask"), args[1:], strict=False)), **kwargs}
        found.maps[layer] = timm_map(module, read.pop("q"), read.pop("k"), given)
        if values:
            found.values[layer] = timm_values(module, args[0])

    hooks = [
        module.q_norm.register_forward_hook(keep("q")),
        module.k_norm.register_forward_hook(keep("k")),
        module.register_forward_hook(after, with_kwargs=True),
    ]
    if values:
        hooks.append(module.norm.register_forward_pre_hook(outputs))
    return hooks


def timm_map(module: Any, q: Tensor, k: Tensor, given: dict[str, Any]) -> Tensor:
    """softmax(q k^T scale + mask) of timm's `Attention`, `AttentionRope` and `EvaAttention`.

    Args:
        module: the attention module.
        q: queries after their norm, [b, heads, t, d].
        k: keys after their norm, [b, key heads, t, d].
        given: what the module was called with: `rope`, `attn_mask`, `is_causal`.

    Returns:
        [b, heads, t, t] in single precision.
    """
    rope = given.get("rope")
    if isinstance(rope, Tensor):
        from timm.layers.pos_embed_sincos import apply_rot_embed_cat

        split, half = module.num_prefix_tokens, getattr(module, "rotate_half", False)
        q, k = (
            torch.cat([x[:, :, :split], apply_rot_embed_cat(x[:, :, split:], rope, half=half)], 2)
            for x in (q, k)
        )
    if k.shape[1] != q.shape[1]:
        k = k.repeat_interleave(q.shape[1] // k.shape[1], dim=1)
    scores = (q.float() * module.scale) @ k.float().transpose(-1, -2)
    mask = given.get("attn_mask")
    if given.get("is_causal"):
        count = scores.shape[-1]
        mask = torch.ones(count, count, dtype=torch.bool, device=scores.device).tril()
    if isinstance(mask, Tensor) and mask.dtype == torch.bool:
        scores = scores.masked_fill(~mask, float("-inf"))
    elif isinstance(mask, Tensor):
        scores = scores + mask
    return scores.softmax(-1)


def timm_values(module: Any, x: Tensor) -> Tensor:
    """The values [b, heads, t, d] that a timm attention module makes of what enters it."""
    if getattr(module, "qkv", None) is None:
        v = module.v_proj(x)
    else:
        weight, bias = module.qkv.weight.chunk(3)[2], module.qkv.bias
        own = getattr(module, "v_bias", None)
        v = F.linear(x, weight, own if bias is None else bias.chunk(3)[2])
    v = v.unflatten(-1, (-1, module.head_dim)).transpose(1, 2)
    groups = module.num_heads // v.shape[1]
    return v.repeat_interleave(groups, dim=1) if groups > 1 else v
