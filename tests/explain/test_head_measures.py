"""Rollout, distances, entropy, diversity, similarity and relevance hit their closed forms."""

from typing import Any

import numpy as np
import pytest
import torch

from tests.interventions.subjects import half_hidden, network_named, pictures
from workbench.errors import BadInput
from workbench.explain import (
    attention_maps,
    class_similarity,
    fast_maps,
    head_measures,
    relevance,
    rollout,
)
from workbench.explain.attention import AttentionMaps
from workbench.explain.rolling import rollout_matrix
from workbench.explain.similarity import similar_patches
from workbench.masks import Grid

GRID = Grid(3, 5, patch=8)


def made(maps: torch.Tensor, layers: int = 3, prefix: int = 2) -> AttentionMaps:
    """The same map [heads, t, t] in every layer, of two pictures."""
    whole = maps.expand(2, *maps.shape)
    found = dict.fromkeys(range(layers), whole)
    return AttentionMaps(found, prefix, True, GRID, dict.fromkeys(found), None, torch.zeros(2, 1))


def test_uniform_attention() -> None:
    t = GRID.size + 2
    found = made(torch.full((4, t, t), 1 / t))
    rolled = rollout(found)
    assert torch.allclose(rolled, rolled[0, 0, 0].expand_as(rolled))
    measures = head_measures(found)
    y, x = np.mgrid[:3, :5].reshape(2, -1) * 8.0
    pairs = np.hypot(y[:, None] - y, x[:, None] - x)
    assert torch.allclose(measures.distance, torch.full((3, 4), pairs.mean()), rtol=1e-5)
    assert torch.allclose(measures.entropy, torch.ones(3, 4))
    assert torch.allclose(measures.diversity, torch.zeros(3), atol=1e-5)


def test_attention_to_oneself() -> None:
    found = made(torch.eye(GRID.size + 2).expand(4, -1, -1))
    assert float(rollout(found).abs().max()) == 0  # all that the class token has is its own
    assert torch.allclose(rollout(found, query=7).flatten(1)[:, 7], torch.ones(2))
    measures = head_measures(found)
    assert float(measures.distance.abs().max()) == float(measures.entropy.abs().max()) == 0


def test_heads_that_look_at_different_places_are_diverse() -> None:
    maps = torch.zeros(2, 17, 17)
    maps[0, :, 3] = maps[1, :, 4] = 1
    assert torch.allclose(head_measures(made(maps)).diversity, torch.ones(3))


@pytest.mark.parametrize("fuse", ["mean", "max", "min"])
def test_rollout_is_the_product_of_the_layers(fuse: Any) -> None:
    found = attention_maps(network_named("ours_registers"), pictures(network_named("ours")))
    whole = torch.eye(found.grid.size + 3)
    for layer in found.layers:
        maps = found.map(layer)
        one = {"mean": maps.mean(1), "max": maps.amax(1), "min": maps.amin(1)}[fuse]
        one = (one + torch.eye(one.shape[-1])) / (one + torch.eye(one.shape[-1])).sum(-1)[..., None]
        whole = one @ whole
    assert torch.allclose(rollout_matrix(found, fuse=fuse), whole, atol=1e-6)
    assert torch.allclose(rollout(found, fuse=fuse).flatten(1), whole[:, 0, 3:], atol=1e-6)
    rows = rollout_matrix(found, fuse=fuse, discard=0.9)
    assert torch.allclose(rows.sum(-1), torch.ones(()), atol=1e-5)
    assert (rollout(found, discard=0.9) == 0).sum() > (rollout(found) == 0).sum()


def test_rollout_of_dropped_patches_gives_them_nothing() -> None:
    network = network_named("ours")
    mask = half_hidden(network)
    rolled = rollout(attention_maps(network, pictures(network), mask=mask))
    assert float(rolled[torch.tensor(mask.hidden)].abs().max()) == 0
    assert float(rolled[~torch.tensor(mask.hidden)].min()) > 0
    with pytest.raises(BadInput, match="discard is 1, wanted a share from 0 up to 1"):
        rollout(made(torch.eye(17)[None]), discard=1)
    with pytest.raises(BadInput, match="start is 3, but the layers are"):
        rollout(made(torch.eye(17)[None]), start=3)


def test_the_box_around_the_patch_that_is_the_class_token() -> None:
    patches = torch.randn(2, 15, 8, generator=torch.Generator().manual_seed(0))
    found = similar_patches(patches[:, 14], patches, GRID, count=1)
    assert found.top.tolist() == [[14], [14]]
    assert found.boxes.tolist() == [[16, 32, 24, 40]] * 2  # to the last pixel of the last patch
    corners = torch.zeros(1, 15, 8)
    corners[0, [1, 13]] = 1
    found = similar_patches(torch.ones(1, 8), corners, GRID, count=2, measure="l2")
    assert found.boxes.tolist() == [[0, 8, 24, 32]]
    network = network_named("vit_small_patch14_reg4_dinov2")
    seen = class_similarity(network, pictures(network))
    assert seen.map.shape == (2, 3, 4) and float(seen.map.abs().max()) <= 1
    with pytest.raises(BadInput, match="has no class token to compare patches with"):
        class_similarity(network_named("vit_base_patch16_siglip_224"), pictures(network))


@pytest.mark.parametrize("which", ["vit_small_patch14_reg4_dinov2", "eva02_tiny_patch14_224"])
def test_relevance_beside_fused_kernels_is_that_of_the_explicit_form(which: str) -> None:
    network, images = network_named(which), pictures(network_named(which))
    first, second = relevance(network, images, 0), relevance(network, images, 3)
    assert float(first.min()) >= 0 and first.shape == (2, *network.grid.shape)
    cosine = torch.cosine_similarity(first.flatten(1), second.flatten(1))
    assert float(cosine.max()) < 0.999  # a class has a map of its own
    assert torch.allclose(first, _explicit(network, images, 0), rtol=1e-3, atol=1e-6)
    with pytest.raises(BadInput, match=r"the target is class \[7, 7\], but there are 7; take 0"):
        relevance(network, images, 7)


def _explicit(network: Any, images: np.ndarray, target: int) -> torch.Tensor:
    """The same by switching every fused kernel off and asking autograd for the maps themselves."""
    kept: list[torch.Tensor] = []

    def keep(module: Any, args: Any, out: torch.Tensor) -> torch.Tensor:
        kept.append(args[0])
        return out

    layers = [network.attention(layer) for layer in range(network.depth)]
    hooks = [each.attn_drop.register_forward_hook(keep) for each in layers]
    for each in layers:
        each.fused_attn = False
    try:
        pictures = torch.from_numpy(images).requires_grad_()
        scores = network.logits(pictures)[:, target].sum()
        gradients = torch.autograd.grad(scores, kept)
    finally:
        for each in layers:
            each.fused_attn = True
        for hook in hooks:
            hook.remove()
    whole = torch.eye(kept[0].shape[-1]).expand(len(images), -1, -1)
    for maps, gradient in zip(kept, gradients, strict=True):
        whole = whole + (maps * gradient).clamp(min=0).mean(1) @ whole
    return whole[:, 0, network.prefix :].detach().unflatten(1, network.grid.shape)


def test_the_fast_copy_gives_the_same_maps() -> None:
    network = network_named("ours_registers")
    images = pictures(network)
    exact = attention_maps(network, images)
    for precision, near in (("fp32", 1e-5), ("bf16", 0.05)):
        found = fast_maps(network.module, images, precision=precision)
        assert found.layers == exact.layers
        for layer in exact.layers:
            assert torch.allclose(found.map(layer).float(), exact.map(layer), atol=near)
        assert torch.allclose(rollout(found), rollout(exact), atol=near)
    with pytest.raises(BadInput, match="is not our own transformer; take attention_maps"):
        fast_maps(network_named("resnet18"), images)
