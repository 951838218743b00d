"""Maps read beside fused kernels are the maps that were used, in every kind of ViT."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import timm
import torch
import torch.nn.functional as F

from tests.interventions.subjects import (
    VITS,
    changed_where_hidden,
    half_hidden,
    network_named,
    pictures,
)
from workbench.errors import BadInput
from workbench.explain import attention_maps, decoder_maps
from workbench.explain.watching import watching
from workbench.interventions import intervene
from workbench.masks import Mask
from workbench.models.mae import DecoderShape, MaskedAutoencoder
from workbench.models.network import network_of
from workbench.models.transformer import ViTShape


@pytest.mark.parametrize("which", [name for name in VITS if not name.startswith("ours")])
def test_the_map_times_the_values_is_what_the_fused_kernel_gave(which: str) -> None:
    network, images = network_named(which), pictures(network_named(which))
    layers = range(network.depth)
    assert all(network.attention(layer).fused_attn for layer in layers)
    with torch.no_grad(), watching(network, layers, values=True) as watch:
        network.features(images)
    for layer in layers:
        maps = watch.maps[layer]
        assert maps.shape == (2, network.heads[layer], *[network.prefix + network.grid.size] * 2)
        assert torch.allclose(maps.sum(-1), torch.ones(()), atol=1e-5)
        made = (maps @ watch.values[layer]).transpose(1, 2).flatten(2)
        assert torch.allclose(made, watch.outputs[layer], atol=1e-5)
        assert maps.std(-1).mean() > 1e-3  # flat maps would agree with anything


def test_our_own_transformer_and_timms_with_its_weights_have_the_same_maps() -> None:
    from workbench.models.timm_encoder import vit_from_timm

    network = network_named("vit_tiny_patch16_224")
    images = pictures(network)
    own = network_of(vit_from_timm(network.module))
    ours = attention_maps(replace(own, mean=network.mean, std=network.std), images)
    theirs = attention_maps(network, images)
    for layer in ours.layers:
        assert torch.allclose(ours.map(layer), theirs.map(layer), atol=1e-5)


def test_maps_equal_those_of_transformers_eager_attention() -> None:
    from transformers import ViTConfig, ViTModel

    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48,
        image_size=(32, 48), patch_size=8, qkv_bias=True, layer_norm_eps=1e-6,
        attn_implementation="eager",  # pyright: ignore[reportCallIssue]
    )  # fmt: skip
    theirs = ViTModel(config, add_pooling_layer=False).eval()
    with torch.no_grad():
        for each in theirs.parameters():
            each.normal_(0.3 if each.ndim == 1 else 0.0, 0.2)
    model = timm.create_model(
        "vit_tiny_patch16_224", img_size=(32, 48), patch_size=8, embed_dim=32, depth=2,
        num_heads=4, mlp_ratio=1.5, num_classes=0,
    ).eval()  # fmt: skip
    model.load_state_dict(_timm_names(theirs.state_dict()))
    network = network_of(model, "timm")
    images = torch.from_numpy(pictures(network))
    with torch.no_grad():
        wanted = theirs(network.prepare(images), output_attentions=True)
    found = attention_maps(network, images)
    assert torch.allclose(found.tokens, wanted.last_hidden_state, atol=1e-4)
    for layer, theirs_map in enumerate(wanted.attentions):
        assert torch.allclose(found.map(layer), theirs_map, atol=1e-5)


def _timm_names(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    names = {
        "embeddings.cls_token": "cls_token", "embeddings.position_embeddings": "pos_embed",
        "embeddings.patch_embeddings.projection": "patch_embed.proj", "layernorm_before": "norm1",
        "layernorm_after": "norm2", "attention.o_proj": "attn.proj",
        "attention.output.dense": "attn.proj", "intermediate.dense": "mlp.fc1",
        "mlp.up_proj": "mlp.fc1", "mlp.down_proj": "mlp.fc2",
        "output.dense": "mlp.fc2", "encoder.layer.": "blocks.", "layers.": "blocks.",
        "layernorm.": "norm.",
    }  # fmt: skip
    made: dict[str, torch.Tensor] = {}
    parts: dict[str, dict[str, torch.Tensor]] = {}
    for name, value in state.items():
        for old, new in names.items():
            name = name.replace(old, new)
        for at, kind in enumerate(("q", "k", "v")):
            for form in ("attention.attention.", "attention."):
                for word in (("query", "key", "value")[at], f"{kind}_proj"):
                    if f"{form}{word}." in name:
                        name = name.replace(f"{form}{word}.", "attn.qkv.")
                        parts.setdefault(name, {})[kind] = value
        if "attn.qkv." not in name:
            made[name] = value
    return made | {k: torch.cat([v["q"], v["k"], v["v"]]) for k, v in parts.items()}


@pytest.mark.parametrize("which", ["ours", "eva02_tiny_patch14_224"])
def test_maps_while_patches_are_hidden(which: str) -> None:
    network = network_named(which)
    images, mask = pictures(network), half_hidden(network)
    hidden = torch.tensor(mask.hidden)
    dropped = attention_maps(network, images, mask=mask)
    keyed = attention_maps(network, images, mask=mask, hide="keys")
    assert dropped.hidden is not None and np.array_equal(dropped.hidden, mask.hidden)
    for layer in dropped.layers:
        seen = dropped.asked_by(layer)
        assert torch.equal(seen.isnan(), hidden[:, None].expand_as(seen))
        also = keyed.asked_by(layer)
        assert float(also[hidden[:, None].expand_as(also)].abs().max()) == 0
        there = ~hidden[:, None].expand_as(also)
        assert torch.allclose(seen[there], also[there], atol=2e-5)
    other = attention_maps(network, changed_where_hidden(images, mask, network), mask=mask)
    assert all(torch.equal(dropped.map(at), other.map(at)) for at in dropped.layers)


def test_interventions_are_seen_and_skipped_layers_have_no_map() -> None:
    network = network_named("deit3_small_patch16_224")
    images = pictures(network)
    with intervene(network, "skip_blocks(layers=[1]) ; drop_tokens(mask='random(ratio=0.5)')"):
        found = attention_maps(network, images)
    assert found.layers == [0, 2] and found.map(2).shape[-1] == 1 + 4
    with pytest.raises(BadInput, match=r"layer 1 gave no map; there are \[0, 2\]"):
        found.asked_by(1)
    with pytest.raises(BadInput, match="the query is patch 9, but there are 9; take 0 to 8"):
        found.asked_by(0, 9)
    again = attention_maps(network, images, layers=[-1])
    assert again.layers == [2] and again.hidden is None and again.map(2).shape[-1] == 10


@pytest.mark.parametrize(
    ("which", "said"),
    [
        ("swin_tiny_patch4_window7_224", "attends inside shifted windows, so it has no map from"),
        ("resnet18", "is a convolutional network and has no attention"),
    ],
)
def test_networks_without_such_maps_are_refused(which: str, said: str) -> None:
    network = network_named(which)
    with pytest.raises(BadInput, match=said):
        attention_maps(network, pictures(network))


def test_attention_with_more_in_it_is_refused() -> None:
    model = timm.create_model("vit_relpos_small_patch16_224", depth=1, embed_dim=24, num_heads=2)
    with pytest.raises(BadInput, match=r"attends by RelPosAttention of .* more than a softmax"):
        attention_maps(model, np.zeros((1, 3, 224, 224), np.float32))


def test_decoder_maps_lie_in_the_order_of_the_picture() -> None:
    from tests.interventions.subjects import scramble

    shape = ViTShape(rows=3, cols=4, patch=4, dim=32, depth=2, heads=2, hidden=48)
    decoder = DecoderShape(dim=16, depth=2, heads=2, hidden=24)
    model: Any = scramble(MaskedAutoencoder(shape, decoder))
    network = network_of(model)
    images, mask = pictures(network), half_hidden(network)
    found = decoder_maps(model, images, mask)
    y = _decoder_input(model, network.prepare(images), mask)
    first = model.decoder_blocks[0]
    q, k, _ = F.linear(first.norm1(y), first.attn.qkv.weight, first.attn.qkv.bias).chunk(3, -1)
    q, k = (each.unflatten(-1, (2, 8)).transpose(1, 2) for each in (q, k))
    wanted = (q @ k.transpose(-1, -2) / 8**0.5).softmax(-1)
    assert torch.allclose(found.map(0), wanted, atol=1e-5)
    assert found.asked_by(1, int(mask.hidden_indices()[0, 0])).shape == (2, 2, 3, 4)
    with pytest.raises(BadInput, match="ours has no decoder, so no mask token looks at anything"):
        decoder_maps(network_named("ours"), images, mask)


def _decoder_input(model: Any, patches: torch.Tensor, mask: Mask) -> torch.Tensor:
    """The textbook form: tokens in picture order, blanks where hidden, then positions."""
    visible = torch.from_numpy(mask.visible_indices().astype(np.int64))
    latent = model.decoder_embed(model.encoder(patches, visible))
    rows = model.mask_token.repeat(len(patches), 12, 1)
    rows.scatter_(1, visible[..., None].expand(-1, -1, 16), latent[:, 1:])
    return torch.cat([latent[:, :1], rows], dim=1) + model.decoder_pos_embed
