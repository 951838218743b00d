"""Checkpoints with the names of facebookresearch/mae, written here from transformers' weights."""

from argparse import Namespace

import pytest
import torch

from workbench.errors import BadInput
from workbench.models import load_encoder, load_reconstructor
from workbench.models.patches import normalise, patchify


@pytest.fixture(scope="module")
def theirs(scrambled):
    from transformers import ViTMAEConfig, ViTMAEForPreTraining

    config = ViTMAEConfig(
        image_size=24, patch_size=4, hidden_size=24, num_hidden_layers=2, num_attention_heads=3,
        intermediate_size=96, decoder_hidden_size=16, decoder_num_hidden_layers=2,
        decoder_num_attention_heads=2, decoder_intermediate_size=64, layer_norm_eps=1e-6,
    )  # fmt: skip
    return scrambled(ViTMAEForPreTraining(config))


@pytest.fixture(scope="module")
def official(theirs):
    """The same weights under the names of models_mae.py."""
    vit, decoder = theirs.vit, theirs.decoder
    state = {
        "cls_token": vit.embeddings.cls_token,
        "pos_embed": vit.embeddings.position_embeddings,
        "patch_embed.proj.weight": vit.embeddings.patch_embeddings.projection.weight,
        "patch_embed.proj.bias": vit.embeddings.patch_embeddings.projection.bias,
        "norm.weight": vit.layernorm.weight,
        "norm.bias": vit.layernorm.bias,
        "mask_token": decoder.mask_token,
        "decoder_pos_embed": decoder.decoder_pos_embed,
    }
    for name in ("decoder_embed", "decoder_norm", "decoder_pred"):
        layer = getattr(decoder, name)
        state |= {f"{name}.weight": layer.weight, f"{name}.bias": layer.bias}
    for prefix, layers in (("blocks", vit.layers), ("decoder_blocks", decoder.decoder_layers)):
        for i, layer in enumerate(layers):
            a = layer.attention
            parts = {
                "norm1": layer.layernorm_before,
                "norm2": layer.layernorm_after,
                "attn.proj": a.o_proj,
                "mlp.fc1": layer.mlp.fc1,
                "mlp.fc2": layer.mlp.fc2,
            }
            for kind in ("weight", "bias"):
                at = f"{prefix}.{i}"
                state |= {f"{at}.{n}.{kind}": getattr(m, kind) for n, m in parts.items()}
                joined = [getattr(p, kind) for p in (a.q_proj, a.k_proj, a.v_proj)]
                state[f"{at}.attn.qkv.{kind}"] = torch.cat(joined)
    return {name: tensor.detach().clone() for name, tensor in state.items()}


@pytest.fixture(scope="module")
def wanted(theirs, draw):
    images, mask = draw(6, 6, 4, [27, 27])
    noise = torch.from_numpy(mask.hidden.reshape(2, 36).astype("float32"))
    theirs.config.mask_ratio = 0.75
    with torch.no_grad():
        return images, mask, theirs(normalise(torch.from_numpy(images)), noise=noise)


def save(state, path, **around):
    torch.save({"model": state, **around} if around else state, path)
    return path


OFFICIAL_ARGS = {"model": "mae_vit_base_patch16", "input_size": 24, "output_dir": "./out", "lr": 1}


@pytest.mark.parametrize("norm_pix", [False, True])
def test_a_file_with_a_namespace_equals_transformers(official, wanted, tmp_path, norm_pix):
    args = Namespace(norm_pix_loss=norm_pix, **OFFICIAL_ARGS)
    path = save(official, tmp_path / "mae.pth", args=args, epoch=3, optimizer={"state": {}})
    ours = load_reconstructor(path, device="cpu", precision="fp32", heads=3, decoder_heads=2)
    images, mask, answer = wanted
    got = ours(images, mask)
    torch.testing.assert_close(got.activations["prediction"], answer.logits, atol=1e-4, rtol=0)
    if not norm_pix:
        assert got.loss == pytest.approx(float(answer.loss), abs=1e-4)
    assert ours.norm_pix is norm_pix and ours.card["norm_pix"] is norm_pix
    assert ours.grid.shape == (6, 6)


@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_bare_state_dict_is_read_and_its_silence_said(official, wanted, tmp_path, prefix):
    path = save({prefix + k: v for k, v in official.items()}, tmp_path / "bare.pth")
    ours = load_reconstructor(path, device="cpu", precision="fp32", heads=3, decoder_heads=2)
    images, mask, answer = wanted
    torch.testing.assert_close(
        ours(images, mask).activations["prediction"], answer.logits, atol=1e-4, rtol=0
    )
    assert ours.notes[0].startswith("The file does not say whether the model predicts pixels")
    assert (
        load_reconstructor(path, device="cpu", heads=3, decoder_heads=2, norm_pix=False).notes == ()
    )


def test_heads_may_stand_in_the_namespace(official, wanted, tmp_path):
    args = Namespace(num_heads=3, decoder_num_heads=2, norm_pix_loss=False)
    path = save(official, tmp_path / "mae.pth", args=args)
    images, mask, answer = wanted
    got = load_reconstructor(path, device="cpu", precision="fp32")(images, mask)
    torch.testing.assert_close(got.activations["prediction"], answer.logits, atol=1e-4, rtol=0)


def test_official_sizes_need_no_heads(tmp_path):
    from workbench.models.headers import DECODERS, ENCODERS

    # models_mae.py: mae_vit_base_patch16_dec512d8b, mae_vit_large_..., mae_vit_huge_patch14_...
    assert ENCODERS == {(768, 12): 12, (1024, 24): 16, (1280, 32): 16}
    assert DECODERS == {(512, 8): 16}


def test_unknown_heads_are_asked_for(official, tmp_path):
    path = save(official, tmp_path / "mae.pth")
    with pytest.raises(BadInput, match=r"its 2 blocks of width 24 have.*; pass heads="):
        load_reconstructor(path, device="cpu")
    with pytest.raises(BadInput, match=r"its 2 blocks of width 16 have.*; pass decoder_heads="):
        load_reconstructor(path, device="cpu", heads=3)
    with pytest.raises(BadInput, match="7 heads do not divide the width 24"):
        load_reconstructor(path, device="cpu", heads=7, decoder_heads=2)
    with pytest.raises(BadInput, match="heads is 0, wanted a whole number from 1"):
        load_reconstructor(path, device="cpu", heads=0, decoder_heads=2)


def encoder_only(official):
    return {k: v for k, v in official.items() if "decoder" not in k and k != "mask_token"}


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_an_encoder_is_told_apart_and_stays_usable(official, theirs, tmp_path, suffix):
    path = tmp_path / f"mae_pretrain{suffix}"
    if suffix == ".pth":
        save(encoder_only(official), path, epoch=1)
    else:
        from safetensors.torch import save_file

        save_file(encoder_only(official), path)
    with pytest.raises(BadInput) as refusal:
        load_reconstructor(path, device="cpu", heads=3)
    assert str(refusal.value) == (
        f"{path} is an encoder (2 blocks of width 24, 6 x 6 patches of 4 px) without a decoder, so "
        "it cannot reconstruct; its features and attention maps can still be used through "
        "workbench.models.load_encoder."
    )
    images = torch.randn(1, 3, 24, 24)
    theirs.vit.config.mask_ratio = 0.0
    with torch.no_grad():
        answer = theirs.vit(images, noise=torch.linspace(0, 1, 36)[None]).last_hidden_state
        got = load_encoder(path, heads=3)(patchify(images, 4))
    torch.testing.assert_close(got, answer, atol=1e-4, rtol=0)


def test_a_full_file_gives_its_encoder(official, tmp_path):
    path = save(official, tmp_path / "mae.pth")
    assert load_encoder(path, heads=3).shape.depth == 2


def test_the_name_of_a_timm_encoder_is_recognised():
    with pytest.raises(BadInput, match="is the name of a timm encoder, which has no decoder"):
        load_reconstructor("vit_tiny_patch16_224", device="cpu")
