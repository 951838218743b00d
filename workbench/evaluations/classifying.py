"""Train a small convnet or ViT to tell classes in seconds: something to look into."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from workbench.errors import BadInput, shown
from workbench.models.headed import fresh_weights
from workbench.models.network import Network, network_of

SIZES: dict[str, tuple[str, dict[str, Any]]] = {
    "convnet": ("resnet10t", {"channels": (24, 32, 48, 64), "stem_width": 16}),
    "vit": (
        "vit_tiny_patch16_224",
        {"patch_size": 8, "embed_dim": 64, "depth": 4, "num_heads": 4, "global_pool": "avg"},
    ),
}


def small_classifier(
    kind: Literal["convnet", "vit"],
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    classes: Sequence[str],
    *,
    steps: int = 150,
    batch: int = 64,
    lr: float = 3e-3,
    seed: int = 0,
) -> Network:
    """Train a timm network of some 100,000 weights from scratch, with AdamW and one cosine.

    Pictures are shifted by up to an eighth of their side; nothing else is changed in them. The same
    arguments on the same machine give the same weights.

    Args:
        kind: "convnet", a ResNet of four blocks, or "vit", patches of 8 pixels and four blocks.
        images: uint8 [n, h, w, 3], square, a side of a multiple of 8 pixels.
        labels: int64 [n].
        classes: their names.
        steps: updates.
        batch: pictures each.
        lr: the highest learning rate.
        seed: of weights, batches and shifts.

    Raises:
        BadInput: an unknown kind, no labels, or pictures of another shape.
    """
    if kind not in SIZES:
        raise BadInput(f"kind is {shown(kind)}, wanted convnet or vit.")
    if images.ndim != 4 or len(images) != len(labels) or not len(labels) or len(classes) < 2:
        raise BadInput(
            f"{len(labels)} labels of {len(classes)} classes for pictures {images.shape}; give as "
            "many as pictures [n, h, w, 3], and two classes."
        )
    network = _made(kind, images.shape[1], classes, seed)
    module, rng = network.module.train(), np.random.default_rng(seed)
    optimiser = torch.optim.AdamW(module.parameters(), lr=lr, weight_decay=0.05)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimiser, lr, max(2, steps), pct_start=0.2)
    with torch.enable_grad():
        for _ in range(steps):
            rows = rng.integers(0, len(images), batch)
            pictures = _shifted(images[rows], rng)
            said = network.logits(pictures)
            loss = F.cross_entropy(said, torch.from_numpy(labels[rows]), label_smoothing=0.05)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            plan.step()
    module.eval().requires_grad_(False)
    return network


def _made(kind: str, side: int, classes: Sequence[str], seed: int) -> Network:
    import timm

    name, known = SIZES[kind]
    knobs: dict[str, Any] = {**known, "num_classes": len(classes)}
    if kind == "vit":
        knobs["img_size"] = side
    elif side < 64:  # small pictures keep four places a side
        knobs["output_stride"] = 8
    with fresh_weights(seed):
        module = timm.create_model(name, pretrained=False, **knobs)
    found = network_of(module, f"the {kind}")
    return replace(found, size=(side, side), labels=tuple(classes))


def _shifted(images: NDArray[np.uint8], rng: np.random.Generator) -> Tensor:
    """Float [b, 3, h, w] in [0, 1], each moved by up to an eighth of its side, edges repeated."""
    side = images.shape[1]
    most = side // 8
    wide = np.pad(images, ((0, 0), (most, most), (most, most), (0, 0)), mode="edge")
    places = rng.integers(0, 2 * most + 1, (len(images), 2))
    cut = [each[y : y + side, x : x + side] for each, (y, x) in zip(wide, places, strict=True)]
    return torch.from_numpy(np.stack(cut)).permute(0, 3, 1, 2).float() / 255


def said_right(network: Network, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> float:
    """The share of pictures, uint8 [n, h, w, 3], whose class is found."""
    with torch.no_grad():
        pictures = images.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
        said = [network.logits(part).argmax(1) for part in np.array_split(pictures, 8)]
    return float((torch.cat(said).cpu().numpy() == labels).mean())
