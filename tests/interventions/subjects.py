"""Small networks of every kind with weights that let everything matter, and what they see."""

from functools import cache
from typing import Any

import numpy as np
import timm
import torch
import torch.nn.functional as F
from torch import nn

from workbench.masks import MASKS, Mask
from workbench.models.network import Network, network_of
from workbench.models.transformer import ViT, ViTShape

# Three blocks each and small pictures, square and not: what is tested is structure, not scale.
TIMM: dict[str, dict[str, Any]] = {
    "vit_tiny_patch16_224": {"img_size": (64, 48), "depth": 3},
    "vit_small_patch14_reg4_dinov2": {"img_size": (42, 56), "depth": 3, "num_classes": 7},
    "deit3_small_patch16_224": {"img_size": (48, 48), "depth": 3},
    "eva02_tiny_patch14_224": {"img_size": (56, 42), "depth": 3, "num_classes": 7},
    "vit_small_patch16_dinov3": {"img_size": (48, 64), "depth": 3, "num_classes": 7},
    "vit_base_patch16_siglip_224": {
        "img_size": (48, 64), "depth": 3, "embed_dim": 96, "num_heads": 4, "num_classes": 7,
    },
    "swin_tiny_patch4_window7_224": {
        "img_size": (56, 112), "depths": (2, 2), "embed_dim": 24, "num_heads": (2, 4),
    },
    "resnet18": {"num_classes": 7},
    "convnext_tiny": {"num_classes": 7, "depths": (1, 1, 1, 1), "dims": (16, 24, 32, 48)},
    "efficientnet_b0": {"num_classes": 7},
}  # fmt: skip
VITS = ("ours", "ours_registers", *(name for name in TIMM if "vit" in name or "deit" in name),
        "eva02_tiny_patch14_224")  # fmt: skip
BLOCKS = (*VITS, "swin_tiny_patch4_window7_224")
CONVNETS = ("resnet18", "convnext_tiny", "efficientnet_b0")


def scramble(module: nn.Module) -> nn.Module:
    """Give weights a size at which attention is not flat and layer scales are not tiny."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for each in module.parameters():
            gain = 0.3 if each.ndim < 2 else 1.5 / max(1, each[0].numel()) ** 0.5
            noise = torch.randn(each.shape, generator=generator) * gain
            each.copy_(noise + (0.7 if each.ndim == 1 else 0.0))
    return module.eval()


@cache
def network_named(name: str) -> Network:
    """One network, kept while the tests run: that none leaves a trace is what they check."""
    if name.startswith("ours"):
        registers = 2 if name == "ours_registers" else 0
        shape = ViTShape(
            rows=4, cols=3, patch=8, dim=32, depth=3, heads=4, hidden=48, registers=registers,
            layer_scale=bool(registers), positions_for_prefix=not registers,
        )  # fmt: skip
        return network_of(scramble(ViT(shape)), name)
    return network_of(scramble(timm.create_model(name, **TIMM[name])), name)


def pictures(network: Network, count: int = 2, seed: int = 0) -> np.ndarray:
    height, width = network.size
    height, width = (96, 128) if network.kind == "convnet" else (height, width)
    generator = np.random.default_rng(seed)
    return generator.random((count, 3, height, width), dtype=np.float32)


def half_hidden(network: Network, count: int = 2, seed: int = 0) -> Mask:
    return MASKS.parse("random(ratio=0.5)").sample(network.grid, count=count, seed=seed)


def changed_where_hidden(images: np.ndarray, mask: Mask, network: Network) -> np.ndarray:
    """Other random pixels in every hidden patch, the visible ones to the bit."""
    other = np.random.default_rng(99).random(images.shape, dtype=np.float32)
    cells = torch.from_numpy(mask.hidden[:, None].astype(np.float32))
    hidden = F.interpolate(cells, images.shape[2:], mode="nearest").numpy() > 0
    return np.where(hidden, other, images)
