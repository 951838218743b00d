"""With the same weights and the same mask we equal transformers' `ViTMAEForPreTraining`.

transformers 5 keeps positions as a square table. For a picture of another shape, asked for by
`interpolate_pos_encoding=True`, the encoder's table is stretched in the plane and the decoder's
along the flattened sequence; we do the same for such folders. A configuration with a non-square
`image_size` can be built only if its patches make a square count.
"""

import json

import numpy as np
import pytest
import torch

from workbench.errors import BadInput
from workbench.models import load_reconstructor
from workbench.models.patches import IMAGENET_MEAN, IMAGENET_STD, normalise, unpatchify


@pytest.fixture(scope="module")
def theirs(scrambled):
    """`theirs(size, patch, **more)`: a small random ViTMAEForPreTraining."""
    from transformers import ViTMAEConfig, ViTMAEForPreTraining

    def make(size, patch, **more):
        config = ViTMAEConfig(
            **{
                "image_size": size,
                "patch_size": patch,
                "hidden_size": 24,
                "num_hidden_layers": 2,
                "num_attention_heads": 3,
                "intermediate_size": 40,
                "decoder_hidden_size": 16,
                "decoder_num_hidden_layers": 2,
                "decoder_num_attention_heads": 2,
                "decoder_intermediate_size": 36,
                **more,
            }
        )
        return scrambled(ViTMAEForPreTraining(config))

    return make


def answer(model, images, mask):
    """transformers' answer for our mask: its noise argument hides the highest values."""
    b, n = len(images), mask.grid.size
    hidden = np.broadcast_to(mask.hidden.reshape(-1, n), (b, n))
    model.config.mask_ratio = 1 - (n - hidden[0].sum() + 0.5) / n
    noise = torch.from_numpy(hidden.astype(np.float32)) + torch.linspace(0, 0.5, n)
    inputs = normalise(torch.from_numpy(images))
    with torch.no_grad():
        out = model(inputs, noise=noise, interpolate_pos_encoding=True)
    assert torch.equal(out.mask.bool(), torch.from_numpy(hidden.copy())), "another mask was used"
    return out


CASES = [
    # trained size, patch, rows, cols, hidden
    (32, 8, 4, 4, 12),
    (48, 8, 6, 6, 9),
    (36, 6, 6, 6, 30),
    (32, 8, 4, 6, 18),
    (32, 8, 7, 3, 5),
    (32, 8, 2, 8, 12),
    (48, 16, 5, 5, 20),
    ([32, 72], 8, 4, 9, 27),
]


@pytest.mark.parametrize("norm_pix", [False, True])
@pytest.mark.parametrize("size, patch, rows, cols, count", CASES)
def test_output_and_loss_are_equal(
    theirs, draw, tmp_path, size, patch, rows, cols, count, norm_pix
):
    model = theirs(size, patch, norm_pix_loss=norm_pix)
    model.save_pretrained(tmp_path)
    ours = load_reconstructor(tmp_path, device="cpu", precision="fp32")
    images, mask = draw(rows, cols, patch, [count, count])
    wanted, got = answer(model, images, mask), ours(images, mask)
    prediction = got.activations["prediction"]
    torch.testing.assert_close(prediction, wanted.logits, atol=1e-4, rtol=0)
    assert got.loss == pytest.approx(float(wanted.loss), abs=1e-4)
    if not norm_pix:
        said = unpatchify(wanted.logits, rows, cols, patch)
        std, mean = torch.tensor(IMAGENET_STD), torch.tensor(IMAGENET_MEAN)
        pixels = (said * std[:, None, None] + mean[:, None, None]).clamp(0, 1)
        torch.testing.assert_close(got.pixels, pixels, atol=1e-4, rtol=0)


def test_the_latent_is_equal_too(theirs, draw, tmp_path):
    model = theirs(32, 8)
    model.save_pretrained(tmp_path)
    images, mask = draw(4, 4, 8, [10, 10])
    got = load_reconstructor(tmp_path, device="cpu", precision="fp32")(images, mask)
    n = mask.grid.size
    model.config.mask_ratio = 1 - (n - 10 + 0.5) / n
    noise = torch.from_numpy(mask.hidden.reshape(2, n).astype(np.float32)) + torch.linspace(
        0, 0.5, n
    )
    with torch.no_grad():
        wanted = model.vit(normalise(torch.from_numpy(images)), noise=noise).last_hidden_state
    torch.testing.assert_close(got.activations["latent"], wanted, atol=1e-4, rtol=0)


def test_a_folder_tells_its_card(theirs, tmp_path):
    theirs(32, 8, norm_pix_loss=True).save_pretrained(tmp_path)
    ours = load_reconstructor(tmp_path, device="cpu", precision="fp32")
    assert (ours.grid.rows, ours.grid.cols, ours.grid.patch, ours.size) == (4, 4, 8, (32, 32))
    assert ours.card["norm_pix"] is True and ours.card["shape"]["eps"] == 1e-12
    assert ours.card["sha256"] == ours.hash and len(ours.hash) == 64


def test_without_qkv_bias_and_as_a_pickle(theirs, draw, tmp_path):
    model = theirs(32, 8, qkv_bias=False)
    model.save_pretrained(tmp_path)
    from safetensors.torch import load_file

    torch.save(load_file(tmp_path / "model.safetensors"), tmp_path / "pytorch_model.bin")
    (tmp_path / "model.safetensors").unlink()
    images, mask = draw(4, 4, 8, [12])
    got = load_reconstructor(tmp_path, device="cpu", precision="fp32")(images, mask)
    wanted = answer(model, images, mask).logits
    torch.testing.assert_close(got.activations["prediction"], wanted, atol=1e-4, rtol=0)


def test_another_normalisation_is_read_from_the_preprocessor(theirs, draw, tmp_path):
    model = theirs(32, 8)
    model.save_pretrained(tmp_path)
    config = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.25, 0.5]}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(config))
    images, mask = draw(4, 4, 8, [12])
    got = load_reconstructor(tmp_path, device="cpu", precision="fp32")(images, mask)
    scaled = (images - 0.5) / np.float32([0.5, 0.25, 0.5])[:, None, None]
    back = scaled * np.float32(IMAGENET_STD)[:, None, None]
    wanted = answer(model, back + np.float32(IMAGENET_MEAN)[:, None, None], mask)
    torch.testing.assert_close(got.activations["prediction"], wanted.logits, atol=1e-4, rtol=0)
    assert got.loss == pytest.approx(float(wanted.loss), abs=1e-4)


def test_positions_in_the_plane_are_offered_and_both_are_said(theirs, draw, tmp_path):
    theirs(32, 8).save_pretrained(tmp_path)
    images, mask = draw(4, 6, 8, [12])
    line = load_reconstructor(tmp_path, device="cpu", precision="fp32")(images, mask)
    plane = load_reconstructor(tmp_path, device="cpu", precision="fp32", positions="plane")
    flat = plane(images, mask)
    assert not torch.allclose(line.pixels, flat.pixels, atol=1e-3)
    assert "along the flattened sequence" in line.notes[-1]
    assert flat.notes[-1].endswith("shown 4 x 6: its positions are interpolated.")


@pytest.mark.parametrize(
    "change, said",
    [
        ({"model_type": "vit"}, "has model_type 'vit', wanted 'vit_mae'"),
        ({"hidden_act": "relu"}, "has hidden_act 'relu'"),
        ({"num_hidden_layers": 10**9}, "wanted a whole number from 1 on"),
        ({"num_hidden_layers": 5}, "holds 2 encoder.blocks, its description says 5"),
        ({"num_attention_heads": 5}, "5 heads do not divide the width 24"),
        ({"hidden_size": 48}, "the file does not fit its description"),
        ({"image_size": [32, 40]}, "wanted square patches whose count is a square"),
        ({"image_size": 64}, "the file does not fit its description"),
        ({"patch_size": "big"}, "patch_size is 'big', wanted one or two whole numbers"),
        ({"norm_pix_loss": "yes"}, "norm_pix_loss is 'yes', wanted true or false"),
    ],
)
def test_a_configuration_that_lies_is_refused(theirs, tmp_path, change, said):
    theirs(32, 8).save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(BadInput, match=said):
        load_reconstructor(tmp_path, device="cpu")


def test_an_encoder_alone_is_named_and_stays_usable(theirs, tmp_path):
    from workbench.models import load_encoder
    from workbench.models.patches import patchify

    model = theirs(32, 8).vit
    model.save_pretrained(tmp_path)
    with pytest.raises(BadInput, match=r"no decoder, so it cannot reconstruct; .*load_encoder"):
        load_reconstructor(tmp_path, device="cpu")
    images = torch.randn(1, 3, 32, 32)
    model.config.mask_ratio = 0.0
    with torch.no_grad():
        wanted = model(images, noise=torch.linspace(0, 1, 16)[None]).last_hidden_state
        got = load_encoder(tmp_path)(patchify(images, 8))
    torch.testing.assert_close(got, wanted, atol=1e-4, rtol=0)
