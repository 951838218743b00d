"""Whatever stands at hidden places of a convnet, however it lies in memory: the same bits."""

import numpy as np
import pytest
import timm
import torch

from tests.interventions.subjects import TIMM, scramble
from workbench.interventions import intervene
from workbench.masks import MASKS, Grid
from workbench.models.network import network_of
from workbench.models.quick import quick_network

NETWORKS = {
    "resnet10t": {"num_classes": 7},
    "resnet18": {"num_classes": 7, "layers": (1, 1, 1, 1)},
    "resnet50": {"num_classes": 7, "layers": (1, 1, 1, 1)},
    "convnext_tiny": TIMM["convnext_tiny"],
    "efficientnet_b0": TIMM["efficientnet_b0"],
}
DIALS = [
    f'layer_mask(policy="{policy}", fill="{fill}")'
    for policy in ("any", "all", "fixed")
    for fill in ("neighbour", "zero", "renormalise")
]


def others(images: np.ndarray, hidden: np.ndarray) -> list[np.ndarray]:
    """The same where it can be seen; elsewhere noise, or huge numbers and none at all."""
    noise = np.random.default_rng(9).random(images.shape, dtype=np.float32)
    bad = np.broadcast_to(np.array([3e38, -np.inf, np.nan], np.float32)[:, None, None], noise.shape)
    made = [np.where(hidden, each, images) for each in (noise, bad)]
    made[0] = made[0].transpose(0, 2, 3, 1).copy().transpose(0, 3, 1, 2)  # channels last in memory
    return made


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("size", [(64, 64), (64, 96)])
def test_hidden_content_changes_nothing_at_all(name: str, size: tuple[int, int]) -> None:
    network = network_of(scramble(timm.create_model(name, **NETWORKS[name])), name)
    images = np.random.default_rng(0).random((2, 3, *size), dtype=np.float32)
    grid = Grid(size[0] // 16, size[1] // 16, patch=16)
    mask = MASKS.parse("random(ratio=0.5)").sample(grid, count=2)
    shown = others(images, mask.to_pixels()[:, None])
    some = DIALS if size[0] != size[1] else DIALS[::4]
    with torch.no_grad():
        copies = [
            quick_network(network, torch.from_numpy(images[:1]), each) for each in ("fp32", "bf16")
        ]
        assert network not in copies
        for each, dials in ((network, some), (copies[0], some), (copies[1], DIALS[::4])):
            for dial in dials:
                with intervene(each, dial, mask=mask):
                    wanted = each.logits(images)
                    assert all(torch.equal(wanted, each.logits(other)) for other in shown)
                assert bool(torch.isfinite(wanted).all())
        assert not torch.equal(network.logits(images), network.logits(shown[0]))
    with intervene(network, "layer_mask", mask=mask):  # with gradients another layout is taken
        wanted = network.logits(images)
        assert all(torch.equal(wanted, network.logits(other)) for other in shown)
        direct = network.prepare(shown[0]).contiguous(memory_format=torch.channels_last)
        assert torch.equal(wanted, network.logits_of(direct))
