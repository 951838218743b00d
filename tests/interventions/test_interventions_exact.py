"""What each intervention does, against the sum that it stands for."""

import copy
from typing import Any

import numpy as np
import pytest
import torch

from tests.interventions.subjects import VITS, half_hidden, network_named, pictures
from workbench.errors import BadInput
from workbench.explain import attention_maps
from workbench.interventions import intervene
from workbench.interventions.merge_tokens import MergeTokens
from workbench.interventions.skip_evenly import kept
from workbench.masks import Grid, Mask
from workbench.models.network import Network, network_of
from workbench.models.transformer import ViT, ViTShape


def twin(network: Network) -> Network:
    return network_of(copy.deepcopy(network.module), "twin")


@torch.no_grad()
def logits(network: Network, recipe: str | list[str] = "", **given: Any) -> torch.Tensor:
    with intervene(network, recipe, **given):
        return network.logits(pictures(network))


@pytest.mark.parametrize("which", ["ours", "vit_tiny_patch16_224", "swin_tiny_patch4_window7_224"])
def test_a_head_is_off_when_its_columns_of_the_projection_are_zero(which: str) -> None:
    network, other = network_named(which), twin(network_named(which))
    heads = network.heads[1]
    proj = other.attention(1).proj
    with torch.no_grad():
        proj.weight.view(len(proj.weight), heads, -1)[:, [0, heads - 1]] = 0
    wanted = logits(other)
    assert torch.allclose(logits(network, "heads_off(layer=1, heads=[0, -1])"), wanted, atol=1e-5)
    gates = [0.0] + [1.0] * (heads - 2) + [0.0]
    assert torch.allclose(
        logits(network, f"heads_scale(layer=1, gates={gates})"), wanted, atol=1e-5
    )


@pytest.mark.parametrize("which", ["ours", "deit3_small_patch16_224", "eva02_tiny_patch14_224"])
def test_mlps_off_are_mlps_that_give_zero(which: str) -> None:
    network, other = network_named(which), twin(network_named(which))
    with torch.no_grad():
        for each in other.mlp(0).fc2.parameters():
            each.zero_()
    assert torch.allclose(logits(network, "mlps_off(layers=[0])"), logits(other), atol=1e-5)


def test_skipped_blocks_are_blocks_that_are_not_there() -> None:
    network, other = (
        network_named("vit_tiny_patch16_224"),
        twin(network_named("vit_tiny_patch16_224")),
    )
    module: Any = other.module
    module.blocks = torch.nn.Sequential(module.blocks[0], module.blocks[2])
    assert torch.equal(logits(network, "skip_blocks(layers=[1])"), logits(other))
    assert torch.equal(logits(network, "skip_evenly(speed=1.5)"), logits(other))


def test_evenly_kept_blocks() -> None:
    assert kept(12, 1) == list(range(12)) and kept(12, 2) == [0, 2, 4, 7, 9, 11]
    assert kept(12, 12) == kept(12, 500) == [0, 11] and kept(1, 3) == [0]
    for depth in range(1, 30):
        for speed in (1, 1.3, 2, 3, 7):
            found = kept(depth, speed)
            assert found[0] == 0 and found[-1] == depth - 1 and len(set(found)) == len(found)
            assert len(found) == max(-(-depth // 1) if speed == 1 else int(np.ceil(depth / speed)),
                                     min(depth, 2))  # fmt: skip


@pytest.mark.parametrize("which", VITS)
def test_dropped_tokens_and_hidden_keys_agree(which: str) -> None:
    network, mask = network_named(which), half_hidden(network_named(which))
    dropped, hidden = (logits(network, each, mask=mask) for each in ("drop_tokens", "hide_keys"))
    if "siglip" in which:  # its attention pool reads the means that stand for hidden patches
        assert not torch.equal(dropped, hidden)
    else:
        assert float((dropped - hidden).abs().max()) <= 1e-5 * max(1.0, float(hidden.abs().max()))
    first = "drop_tokens(mask='painted(hide=\"0-3\")')"
    second = "drop_tokens(layer=1, mask='painted(hide=\"{}\")')"
    overlapping, named_again = (f"{first} ; {second.format(each)}" for each in ("2-6", "0-6"))
    assert torch.equal(logits(network, overlapping), logits(network, named_again))


def test_softly_hidden_keys_keep_a_weight() -> None:
    network = network_named("ours")
    mask, images = half_hidden(network, 1), pictures(network)
    with intervene(network, 'hide_keys(how="soft", layers=[1])', mask=mask):
        soft = attention_maps(network, images, layers=[1]).asked_by(1)
    hidden = soft[..., torch.tensor(mask.hidden[0])]
    assert float(hidden.min()) > 0
    bias = network.attention(1).qkv.bias
    kept, bias.data = bias.data, bias.data.clone()
    try:
        bias.data[32:64] = 0
        with intervene(network, 'hide_keys(how="soft", layers=[1])', mask=mask):
            soft = attention_maps(network, images, layers=[1]).asked_by(1)
            hidden = soft[..., torch.tensor(mask.hidden[0])]
    finally:
        bias.data = kept
    assert torch.allclose(hidden, hidden[..., :1].expand_as(hidden))  # exp(0) each


def test_nothing_to_attend_to_is_refused() -> None:
    shape = ViTShape(
        rows=2, cols=2, patch=4, dim=16, depth=1, heads=2, hidden=16, class_token=False
    )
    network = network_of(ViT(shape).eval(), "bare")
    everything = Mask(np.ones((1, 2, 2), dtype=bool), Grid(2, 2))
    with (
        pytest.raises(BadInput, match="every key is hidden from some query"),
        intervene(network, "hide_keys", mask=everything),
    ):
        network.features(pictures(network))
    with (
        pytest.raises(BadInput, match=r"the mask lies on 3 x 2 cells, but bare has 2 x 2 patches"),
        intervene(network, "hide_keys", mask=Mask(np.zeros((1, 3, 2), dtype=bool), Grid(3, 2))),
    ):
        pass


def read(recipe: str, which: str = "ours", layer: int = 1) -> np.ndarray:
    """Which patches each patch reads under a recipe, bool [n, n]."""
    network = network_named(which)
    with intervene(network, recipe):
        found = attention_maps(network, pictures(network, 1), layers=[layer])
    maps = found.map(layer)
    assert torch.allclose(maps.sum(-1), torch.ones(()), atol=1e-5)
    assert float(maps[..., : found.prefix].min()) > 0  # tokens in front are read by all
    return (maps[0, 0, found.prefix :, found.prefix :] > 0).numpy()


@pytest.mark.parametrize("which", ["ours", "vit_small_patch16_dinov3"])
def test_structured_attention(which: str) -> None:
    grid = network_named(which).grid
    y, x = np.divmod(np.arange(grid.size), grid.cols)
    down, across = abs(y[:, None] - y), abs(x[:, None] - x)
    assert np.array_equal(read("window(reach=1)", which), (down <= 1) & (across <= 1))
    axial = read("axial", which)
    assert (axial.sum(1) == grid.rows + grid.cols - 1).all()
    assert np.array_equal(read('axial(along="rows")', which), down == 0)
    assert np.array_equal(read("decay(gammas=[0])", which), np.eye(grid.size, dtype=bool))
    group = y * 2 // grid.rows * 9 + x * 2 // grid.cols
    assert np.array_equal(read("groups(down=2, across=2)", which), group[:, None] == group)


def test_decay_weighs_by_distance() -> None:
    network, images = network_named("ours"), pictures(network_named("ours"))
    plain = attention_maps(network, images, layers=[0]).map(0)
    with intervene(network, "decay(gammas=[0.5, 1.0, 1.0, 0.25], layers=[0])"):
        found = attention_maps(network, images, layers=[0]).map(0)
    y, x = np.divmod(np.arange(12), 3)
    apart = torch.from_numpy(abs(y[:, None] - y) + abs(x[:, None] - x))
    weight = torch.ones(4, 13, 13)
    weight[0, 1:, 1:], weight[3, 1:, 1:] = 0.5**apart, 0.25**apart
    wanted = plain * weight
    assert torch.allclose(found, wanted / wanted.sum(-1, keepdim=True), atol=1e-5)


def test_a_constant_field_is_restored_and_no_shrinking_changes_nothing() -> None:
    grid, lattice = Grid(6, 4), Grid(3, 2)
    member = MergeTokens(iterations=3, neighbours=4)
    field = torch.full((1, 24, 8), 2.5)
    centres = member.cluster(field, grid, lattice)
    assert torch.allclose(member.back(field, centres) @ centres, field)
    tokens = torch.randn(2, 24, 8, generator=torch.Generator().manual_seed(0))
    weights = member.back(tokens, member.cluster(tokens, grid, lattice))
    assert (
        torch.allclose(weights.sum(-1), torch.ones(2, 24)) and int((weights > 0).sum(-1).max()) == 4
    )
    one = MergeTokens(iterations=0, neighbours=1)
    assert torch.allclose(one.back(tokens, one.cluster(tokens, grid, grid)), torch.eye(24))


def test_the_largest_activations_stay() -> None:
    network, seen = network_named("ours"), []
    handle = network.mlp(1).fc2.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    try:
        logits(network)
        handle.remove()
        with intervene(network, "top_k(share=0.25, layers=[1])"):
            handle = network.mlp(1).fc2.register_forward_pre_hook(
                lambda module, args: seen.append(args[0])
            )
            logits(network)
    finally:
        handle.remove()
    plain, cut = seen
    lowest = plain.topk(12, dim=-1).values[..., -1:]
    assert torch.equal(cut, torch.where(plain >= lowest, plain, 0))


def test_activations_of_another_picture() -> None:
    network = network_named("vit_small_patch14_reg4_dinov2")
    images, source = pictures(network), pictures(network, 2, seed=5)
    with torch.no_grad():
        theirs = network.logits(source)
    plain = logits(network)
    assert torch.equal(logits(network, "replace", source=source), theirs)
    frozen = "heads_off(layer=0, heads=[0, 1]) ; replace(layer=2)"
    assert torch.equal(logits(network, frozen, source=images), plain)
    assert not torch.equal(logits(network, "heads_off(layer=0, heads=[0, 1])"), plain)
    some = [f'replace(layer=1, part="heads", heads={heads})' for heads in ([0], [1, 2, 3, 4, 5])]
    whole = 'replace(layer=1, part="attention")'
    assert torch.allclose(
        logits(network, some, source=source), logits(network, whole, source=source), atol=1e-5
    )
    everything = 'painted(hide="0-11")'
    patched = f"replace(layer=1, mask='{everything}') ; replace(layer=2, part=\"mlp\", share=0.5)"
    assert not torch.equal(logits(network, patched, source=source), plain)
    with (
        pytest.raises(BadInput, match="replace takes activations from another picture, but none"),
        intervene(network, "replace"),
    ):
        pass
