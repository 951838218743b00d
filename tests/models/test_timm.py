"""Our ViT equals timm's `forward_features`, whatever a plain ViT may carry."""

from functools import partial

import pytest
import torch
from torch import nn

from workbench.errors import BadInput
from workbench.models.patches import patchify
from workbench.models.timm_encoder import vit_from_timm

SMALL = {"patch_size": 4, "embed_dim": 24, "depth": 2, "num_heads": 3, "num_classes": 5}
KINDS = {
    "plain": {},
    "registers": {"reg_tokens": 3, "no_embed_class": True},
    "registers with positions": {"reg_tokens": 3},
    "layer scale": {"init_values": 1e-5},
    "no class embedding": {"no_embed_class": True},
    "clip": {"pre_norm": True, "norm_layer": partial(nn.LayerNorm, eps=1e-5)},
    "no class token": {"class_token": False, "global_pool": "avg"},
    "no final norm": {"global_pool": "avg", "fc_norm": True},
    "no qkv bias": {"qkv_bias": False},
    "attention pooling": {"global_pool": "map"},
}


@pytest.fixture(scope="module")
def vision_transformer():
    from timm.models.vision_transformer import VisionTransformer

    return VisionTransformer


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(16, 16), (12, 28)])
def test_equals_forward_features(vision_transformer, scrambled, kind, size):
    theirs = scrambled(vision_transformer(img_size=size, **SMALL, **KINDS[kind]))
    images = torch.randn(2, 3, *size)
    with torch.no_grad():
        wanted = theirs.forward_features(images)
        from_model = vit_from_timm(theirs)(patchify(images, 4))
        grid = (size[0] // 4, size[1] // 4)
        from_dict = vit_from_timm(theirs.state_dict(), heads=3, grid=grid)(patchify(images, 4))
    torch.testing.assert_close(from_model, wanted, atol=1e-5, rtol=1e-5)
    assert torch.equal(from_dict, from_model)


@pytest.mark.parametrize(
    "name, size", [("vit_tiny_patch16_224", 64), ("vit_tiny_patch16_224", (48, 80))]
)
def test_equals_a_named_timm_model(scrambled, name, size):
    import timm

    theirs = scrambled(timm.create_model(name, img_size=size, depth=3))
    images = torch.randn(1, 3, *(size if isinstance(size, tuple) else (size, size)))
    with torch.no_grad():
        wanted = theirs.forward_features(images)
        torch.testing.assert_close(
            vit_from_timm(theirs)(patchify(images, 16)), wanted, atol=1e-5, rtol=1e-5
        )


def test_dropping_tokens_equals_timm_blocks_on_the_tokens_left(vision_transformer, scrambled):
    theirs = scrambled(vision_transformer(img_size=16, **SMALL))
    images = torch.randn(2, 3, 16, 16)
    visible = torch.tensor([[3, 0, 15, 7], [1, 2, 8, 9]])
    with torch.no_grad():
        embedded = theirs._pos_embed(theirs.patch_embed(images))
        tokens = torch.stack(
            [
                torch.cat([one[:1], one[1:][seen]])
                for one, seen in zip(embedded, visible, strict=True)
            ]
        )
        wanted = theirs.norm(theirs.blocks(tokens))
        ours = vit_from_timm(theirs)(patchify(images, 4), visible)
    torch.testing.assert_close(ours, wanted, atol=1e-5, rtol=1e-5)


def test_maps_are_softmax_rows_and_change_no_output(vision_transformer, scrambled):
    vit = vit_from_timm(scrambled(vision_transformer(img_size=16, **SMALL)))
    patches, maps = torch.randn(2, 16, 48), []
    with torch.no_grad():
        torch.testing.assert_close(vit(patches, None, maps), vit(patches), atol=1e-5, rtol=1e-5)
    assert [m.shape for m in maps] == [(2, 3, 17, 17)] * 2
    torch.testing.assert_close(maps[0].sum(-1), torch.ones(2, 3, 17))


@pytest.mark.parametrize(
    "kind, said",
    [
        ({"qk_norm": True}, "normalises queries and keys"),
        ({"scale_mlp_norm": True}, "normalises inside its MLP"),
        ({"act_layer": "gelu_tanh"}, "wanted exact GELU"),
        ({"pos_embed": "none"}, "holds 'cls_token' but no pos_embed"),
    ],
)
def test_what_is_not_plain_is_named(vision_transformer, kind, said):
    theirs = vision_transformer(img_size=16, **SMALL, **kind)
    with pytest.raises(BadInput, match=said):
        vit_from_timm(theirs)


@pytest.mark.parametrize(
    "name, said",
    [
        ("resnet18", "is a convolutional network"),
        ("swin_tiny_patch4_window7_224", "has relative positions in windows"),
        ("eva02_tiny_patch14_224", r"has gated \(SwiGLU\) MLPs"),
        ("vit_small_patch16_rope_224", "but no pos_embed"),
        ("deit_tiny_distilled_patch16_224", "has a distillation token"),
        ("mixer_s32_224", "of another architecture"),
    ],
)
def test_other_architectures_are_refused_in_one_sentence(name, said):
    import timm

    with torch.device("meta"):
        state = timm.create_model(name).state_dict()
    with pytest.raises(BadInput, match=said) as refusal:
        vit_from_timm(state, heads=1)
    assert "\n" not in str(refusal.value) and "use a plain" in str(refusal.value)


def test_rotary_positions_outside_the_state_dict_are_seen_on_the_model():
    import timm

    with torch.device("meta"):
        model = timm.create_model("vit_small_patch16_rope_ape_224")
    with pytest.raises(BadInput, match="has rotary positions"):
        vit_from_timm(model)


def test_unknown_heads_and_grids_are_asked_for(vision_transformer):
    state = vision_transformer(img_size=(12, 28), **SMALL).state_dict()
    with pytest.raises(BadInput, match="has width 24 and does not say how many heads; pass heads="):
        vit_from_timm(state)
    with pytest.raises(BadInput, match="22 positions, which is not a square grid and 1 more"):
        vit_from_timm(state, heads=3)
