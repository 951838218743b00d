import warnings

import numpy as np
import pytest
import torch

from workbench.errors import BadInput
from workbench.masks import MASKS, Grid, Mask
from workbench.models import load_reconstructor
from workbench.models.patches import normalise, patchify


@pytest.fixture(scope="module")
def model(saved):
    return load_reconstructor(saved, device="cpu", precision="fp32")


def test_shapes_ranges_and_formulas(model, draw):
    images, mask = draw(4, 6, 4, [12, 12])
    answer = model(images, mask)
    truth = torch.from_numpy(images)
    for picture in (answer.pixels, answer.composite):
        assert picture.shape == (2, 3, 16, 24) and picture.dtype == torch.float32
        assert picture.device.type == "cpu" and 0 <= picture.min() and picture.max() <= 1
    hidden = torch.from_numpy(mask.to_pixels().copy())[:, None]
    assert torch.equal(answer.composite, torch.where(hidden, answer.pixels, truth))
    squared = (answer.pixels - truth).square().numpy()
    error = squared.reshape(2, 3, 4, 4, 6, 4).mean((1, 3, 5))
    np.testing.assert_allclose(answer.error.numpy(), error, atol=1e-6)
    said = answer.activations["prediction"]
    patches = patchify(normalise(truth), 4)
    rows = torch.from_numpy(mask.hidden.reshape(2, -1).copy())
    assert answer.loss == pytest.approx(float((said - patches)[rows].square().mean()), rel=1e-5)
    assert answer.activations["latent"].shape == (2, 13, 32)


def test_results_are_ordinary_tensors(model, draw):
    answer = model(*draw(4, 6, 4, [12]))
    for tensor in (answer.pixels, answer.composite, answer.error, *answer.activations.values()):
        tensor.mul_(1.0)  # tensors of inference mode would refuse
        assert not tensor.is_inference()


def test_tensors_arrays_and_read_only_arrays_are_the_same(model, draw):
    images, mask = draw(4, 6, 4, [12])
    locked = images.copy()
    locked.flags.writeable = False
    backwards = np.ascontiguousarray(images[..., ::-1])[..., ::-1]
    answers = [model(x, mask).pixels for x in (images, torch.from_numpy(images), locked, backwards)]
    assert all(torch.equal(answers[0], other) for other in answers[1:])


def test_one_mask_serves_a_batch(model, draw):
    images, masks = draw(4, 6, 4, [12, 12, 12])
    shared = model(images, masks[0])
    repeated = model(images, Mask.stack([masks[0]] * 3))
    assert torch.equal(shared.pixels, repeated.pixels) and shared.loss == repeated.loss


def test_unequal_counts_equal_single_calls(model, draw):
    images, mask = draw(4, 6, 4, [1, 12, 23, 12, 5])
    together = model(images, mask)
    alone = [model(images[i : i + 1], mask[i]) for i in range(5)]
    for i, one in enumerate(alone):
        torch.testing.assert_close(together.pixels[i], one.pixels[0], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(together.error[i], one.error[0], atol=1e-5, rtol=1e-5)
        length = 1 + 24 - mask.counts[i]
        latent = together.activations["latent"][i]
        torch.testing.assert_close(
            latent[:length], one.activations["latent"][0], atol=1e-5, rtol=1e-5
        )
        assert latent[length:].isnan().all()
    weighted = sum(one.loss * int(n) for one, n in zip(alone, mask.counts, strict=True))
    assert together.loss == pytest.approx(weighted / mask.counts.sum(), rel=1e-5)


def test_a_large_batch_is_cut_without_a_trace(model, draw):
    images, mask = draw(4, 6, 4, [12] * 70)
    torch.testing.assert_close(
        model(images, mask).pixels[66], model(images[66:67], mask[66]).pixels[0], atol=1e-5, rtol=0
    )


def test_bf16_stays_close_to_fp32(saved, draw):
    # 8 significant bits through 4 blocks and random weights of unit gain: a few hundredths of the
    # prediction's spread; trained weights of the default model do better.
    images, mask = draw(4, 6, 4, [12, 12])
    exact, half = (
        load_reconstructor(saved, device="cpu", precision=p)(images, mask).activations["prediction"]
        for p in ("fp32", "bf16")
    )
    assert not torch.equal(exact, half)
    assert (exact - half).square().mean().sqrt() < 0.02 * exact.std()


def test_bytes_in_bytes_out_is_the_same_answer(model, draw):
    images, mask = draw(4, 6, 4, [15])
    photo = np.ascontiguousarray((images[0].transpose(1, 2, 0) * 255).round().astype(np.uint8))
    photo.flags.writeable = False
    quick = model.reconstruct_picture(photo, mask)
    full = model(photo.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255), mask)
    for name in ("pixels", "composite"):
        wanted = getattr(full, name)[0].numpy().transpose(1, 2, 0) * 255
        assert np.abs(getattr(quick, name).astype(np.float32) - wanted).max() <= 0.501
        assert getattr(quick, name).shape == (16, 24, 3)
    shown = ~mask.to_pixels()[0]
    assert np.array_equal(quick.composite[shown], photo[shown])
    np.testing.assert_allclose(quick.error, full.error[0].numpy(), atol=1e-6)
    assert quick.loss == pytest.approx(full.loss, rel=1e-5)


def test_another_grid_is_answered_and_said(model, draw):
    answer = model(*draw(7, 3, 4, [10]))
    assert answer.pixels.shape == (1, 3, 28, 12) and answer.error.shape == (1, 7, 3)
    assert answer.notes == (
        "The model was trained on 4 x 6 patches and is shown 7 x 3: its positions are "
        "interpolated.",
    )
    assert model(*draw(4, 6, 4, [10])).notes == ()


def test_asking_for_many_grids_keeps_the_first_answer(model, draw):
    images, mask = draw(4, 6, 4, [12])
    before = model(images, mask).pixels
    for cols in range(2, 9):
        model(*draw(2, cols, 4, [1]))
    assert torch.equal(model(images, mask).pixels, before)


@pytest.mark.parametrize(
    "ratio, said",
    [
        (0, r"mask 0 hides no patch \(0 of 24\) but the model needs a hidden one"),
        (1, r"mask 0 hides every patch \(24 of 24\) but the model needs a visible one"),
    ],
)
def test_masks_without_a_hidden_or_visible_patch_are_refused(model, draw, ratio, said):
    mask = MASKS.parse(f"random(ratio={ratio})").sample(Grid(4, 6, patch=4))
    with pytest.raises(BadInput, match=said + "; hide from 1 to 23 patches"):
        model(draw(4, 6, 4, [1])[0], mask)
    with pytest.raises(BadInput, match=said):
        model.reconstruct_picture(np.zeros((16, 24, 3), np.uint8), mask)


def images_of(*shape, dtype=np.float32, value=0.5):
    return np.full(shape, value, dtype)


@pytest.mark.parametrize(
    "images, said",
    [
        (images_of(1, 3, 16, 16), r"images are 16 x 16 px but the mask covers 16 x 24 px; fit"),
        (images_of(3, 16, 24), r"shape \[3, 16, 24\], wanted \[b, 3, h, w\].*images\[None\]"),
        (images_of(1, 16, 24, 3), r"shape \[1, 16, 24, 3\], wanted \[b, 3, h, w\]"),
        (images_of(0, 3, 16, 24), r"shape \[0, 3, 16, 24\], wanted .* b of 1 or more"),
        (images_of(1, 3, 16, 24, dtype=np.uint8), "images are uint8, wanted float32"),
        (images_of(1, 3, 16, 24, dtype=np.float64), "images are float64, wanted float32"),
        (torch.zeros(1, 3, 16, 24, dtype=torch.float16), "images are float16, wanted float32"),
        (images_of(2, 3, 16, 24, value=255), r"values from 255 to 255, wanted \[0, 1\]"),
        (images_of(2, 3, 16, 24, value=-0.1), r"values from -0.1 to -0.1, wanted \[0, 1\]"),
        (images_of(2, 3, 16, 24, value=np.nan), "without NaN"),
        ([[1.0]], "images is a list, wanted a float32 array"),
        (images_of(3, 3, 16, 24), "2 masks came with 3 images, wanted 3 or 1"),
    ],
)
def test_images_that_do_not_fit_are_refused(model, draw, images, said):
    mask = draw(4, 6, 4, [12, 12])[1]
    with pytest.raises(BadInput, match=said):
        model(images, mask)


@pytest.mark.parametrize(
    "grid",
    [Grid(4, 6, patch=8), Grid(4, 6, patch=4, frames=2), Grid(4, 6, patch=4, domain="frequency")],
)
def test_masks_of_another_kind_are_refused(model, grid):
    mask = Mask(np.eye(1, grid.size, dtype=bool).reshape(1, *grid.shape), grid)
    with pytest.raises(BadInput, match=r"with patch=4; take Grid\(4, 6, patch=4\)"):
        model(images_of(1, 3, 16, 24), mask)


def test_too_many_patches_are_refused_before_any_work(model):
    grid = Grid(65, 64, patch=4)
    mask = Mask(np.eye(1, grid.size, dtype=bool).reshape(1, *grid.shape), grid)
    with pytest.raises(BadInput, match="4160 patches, wanted at most 4096"):
        model(images_of(1, 3, 260, 256), mask)


@pytest.mark.parametrize(
    "picture", [np.zeros((16, 24, 3)), np.zeros((16, 24), "u1"), np.zeros((16, 24, 4), "u1")]
)
def test_pictures_that_are_no_rgb_bytes_are_refused(model, draw, picture):
    with pytest.raises(BadInput, match=r"wanted uint8 \[h, w, 3\]; convert it to RGB bytes"):
        model.reconstruct_picture(picture, draw(4, 6, 4, [3])[1])


def test_weights_that_give_no_numbers_are_said(tiny, draw, tmp_path):
    from dataclasses import replace

    from workbench.models.checkpoint import read_checkpoint, save_checkpoint
    from workbench.models.reconstruction import Reconstructor

    save_checkpoint(tiny, tmp_path / "m.safetensors", {"norm_pix": False})
    found = read_checkpoint(tmp_path / "m.safetensors")
    found.model.decoder_pred.bias.data = torch.full_like(found.model.decoder_pred.bias, torch.nan)
    with pytest.raises(BadInput, match="the model's loss is nan in fp32, wanted a number"):
        Reconstructor(replace(found))(*draw(4, 6, 4, [3]))


def test_calls_from_many_threads_do_not_mix(model, draw):
    from concurrent.futures import ThreadPoolExecutor

    jobs = [draw(rows, 6, 4, [count], seed=count) for rows in (2, 3, 4) for count in (3, 6, 9)]
    alone = [model(*job).pixels for job in jobs]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda job: model(*job).pixels, jobs * 3))
    for i, pixels in enumerate(together):
        torch.testing.assert_close(pixels, alone[i % len(jobs)], atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "options, said",
    [
        ({"device": "gpu"}, "device is 'gpu', but this machine has .*cpu.*; take auto"),
        ({"device": "cuda:99"}, "device is 'cuda:99'"),
        ({"precision": "fp8"}, "precision is 'fp8', wanted auto, fp32 or bf16"),
        ({"statistics": "best"}, "statistics is 'best', wanted visible or true"),
        ({"positions": "sphere"}, "positions is 'sphere', wanted plane or line"),
    ],
)
def test_unknown_options_are_refused(saved, options, said):
    with pytest.raises(BadInput, match=said):
        load_reconstructor(saved, **options)


def test_auto_settles_on_what_is_there(saved):
    from workbench.models.precision import bf16_pays

    model = load_reconstructor(saved)
    assert model.precision == ("bf16" if bf16_pays(model.device) else "fp32")
    assert model.device.type == ("cuda" if torch.cuda.is_available() else "cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model(*(np.full((1, 3, 16, 24), 0.5, np.float32), Mask.from_bits("01" * 12, model.grid)))


def test_packed_weights_change_nothing_but_the_time(saved, draw, monkeypatch):
    from workbench.models import inference

    images, mask = draw(4, 6, 4, [12])
    assert inference.packing_works(torch.float32) in (True, False)
    packed = load_reconstructor(saved, device="cpu", precision="fp32")(images, mask)
    monkeypatch.setattr(inference, "packing_works", lambda dtype: False)
    plain = load_reconstructor(saved, device="cpu", precision="fp32")(images, mask)
    torch.testing.assert_close(packed.pixels, plain.pixels, atol=1e-5, rtol=0)
    torch.testing.assert_close(
        packed.activations["latent"], plain.activations["latent"], atol=1e-5, rtol=1e-5
    )


def test_a_build_without_packing_is_noticed(monkeypatch):
    from workbench.models import inference

    def gone(self, linear, gelu=False):
        raise AttributeError("'_OpNamespace' 'mkldnn' object has no attribute '_linear_pointwise'")

    monkeypatch.setattr(inference.PackedLinear, "__init__", gone)
    inference.packing_works.cache_clear()
    assert inference.packing_works(torch.float32) is False
    inference.packing_works.cache_clear()


def test_an_array_is_no_mask(model):
    with pytest.raises(BadInput, match=r"mask is a ndarray, wanted a workbench.masks.Mask; make"):
        model(images_of(1, 3, 16, 24), np.ones((1, 4, 6), bool))


@pytest.mark.parametrize("layer_scale", [False, True])
def test_a_packed_block_is_the_block_and_returns_its_map(layer_scale):
    from workbench.models.inference import PackedBlock
    from workbench.models.transformer import Block

    torch.manual_seed(0)
    block = Block(24, 3, 48, layer_scale=layer_scale, qkv_bias=not layer_scale).eval()
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    x, maps, packed_maps = torch.randn(2, 7, 24), [], []
    with torch.inference_mode():
        packed = PackedBlock(block)
        torch.testing.assert_close(packed(x), block(x), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(packed(x, None, packed_maps), block(x, None, maps))
        torch.testing.assert_close(packed_maps[0], maps[0])
