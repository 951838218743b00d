"""A convnet of timm with a head, for pictures that are small: its total stride is chosen."""

import torch
from torch import Tensor, nn

from workbench.errors import BadInput, shown
from workbench.models.headed import fresh_weights
from workbench.models.network import network_of
from workbench.models.patches import normalise
from workbench.models.sparse import restride


def classifying_convnet(name: str, stride: int, classes: int, seed: int) -> nn.Module:
    """Return timm's convnet with fresh weights; its first strides are 1 until all make `stride`.

    Args:
        name: of the architecture, such as resnet10t.
        stride: pixels of the picture that a place of the last map stands for.
        classes: outputs of the head.
        seed: of the weights.

    Raises:
        BadInput: no convnet of that name, or a stride that cannot be had from its own.
    """
    import timm

    if not timm.is_model(name):
        raise BadInput(f"{shown(name)} is no network of timm; take for example resnet10t.")
    with fresh_weights(seed):
        made = timm.create_model(name, pretrained=False, num_classes=classes)
    described = network_of(made, name)
    if described.kind != "convnet":
        raise BadInput(f"{name} is no convnet; leave the network empty for the ViT of the run.")
    restride(made, described.patch, stride, name)
    return made.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def ready(images: Tensor) -> Tensor:
    """Pictures [b, 3, h, w] in [0, 1] as such a network reads them."""
    return normalise(images).contiguous(memory_format=torch.channels_last)
