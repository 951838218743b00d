"""All attention maps of our own transformer as fast as the machine gives them."""

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from workbench.errors import BadInput
from workbench.explain.attention import AttentionMaps
from workbench.models.inference import prepared_encoder
from workbench.models.network import Images, network_of
from workbench.models.precision import bf16_pays
from workbench.models.transformer import ViT

_twins: WeakKeyDictionary[ViT, dict[torch.dtype, ViT]] = WeakKeyDictionary()


@torch.inference_mode()
def fast_maps(
    model: Any, images: Images, *, layers: Sequence[int] | None = None, precision: str = "auto"
) -> AttentionMaps:
    """As `attention_maps`, on a copy of our transformer made ready to answer quickly.

    The copy is made at the first call and kept while the model lives; interventions and later
    changes of the weights do not reach it. In bf16, where the machine has it, maps differ by about
    1e-2 of their value.

    Args:
        model: our own transformer, or what holds one; see `network_of`.
        images: float [b, 3, h, w] in [0, 1].
        layers: which blocks to keep, -1 the last; None for all.
        precision: "fp32", "bf16", or "auto" for what pays on this machine.

    Raises:
        BadInput: another network, or no such layer or precision.
    """
    network = network_of(model)
    if not network.own or not isinstance(network.module, ViT):
        raise BadInput(
            f"{network.name} is not our own transformer; take attention_maps, or vit_from_timm for "
            "a plain ViT of timm."
        )
    if precision not in ("auto", "fp32", "bf16"):
        raise BadInput(f"precision is {precision!r}, wanted auto, fp32 or bf16.")
    half = bf16_pays(network.device) if precision == "auto" else precision == "bf16"
    dtype = torch.bfloat16 if half else torch.float32
    kept = _twins.setdefault(network.module, {})
    if dtype not in kept:
        kept[dtype] = prepared_encoder(network.module, network.device, dtype)
    maps: list[Tensor] = []
    tokens = kept[dtype](network.prepare(images).to(dtype), None, maps)
    chosen = range(network.depth) if layers is None else map(network.check_layer, layers)
    found = {layer: maps[layer] for layer in chosen}
    return AttentionMaps(
        found, network.prefix, network.class_token, network.grid, dict.fromkeys(found), None,
        tokens.float(),
    )  # fmt: skip
