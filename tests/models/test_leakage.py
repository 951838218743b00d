"""What is under the mask reaches no visible latent and no prediction, to the bit."""

import numpy as np
import pytest
import torch

from workbench.models import load_reconstructor
from workbench.models.mae import MaskedAutoencoder
from workbench.models.patches import patchify


def disturbed(images, mask, seed=1):
    """The images with other random content in every hidden pixel."""
    other = np.random.default_rng(seed).random(images.shape, dtype=np.float32)
    return np.where(mask.to_pixels()[:, None], other, images)


@pytest.fixture(params=["fp32", "bf16"])
def precision(request):
    return request.param


@pytest.mark.parametrize("kind", ["saved", "saved_norm_pix"])
@pytest.mark.parametrize("counts", [[18, 18], [1, 23], [7, 12, 20]])
@pytest.mark.parametrize("size", [(4, 6), (5, 5)])
def test_hidden_pixels_change_nothing(request, draw, precision, kind, counts, size):
    path = request.getfixturevalue(kind)
    model = load_reconstructor(path, device="cpu", precision=precision)
    images, mask = draw(*size, 4, counts)
    before, after = model(images, mask), model(disturbed(images, mask), mask)
    for name in ("latent", "prediction"):
        a, b = before.activations[name], after.activations[name]
        assert torch.equal(a.nan_to_num(7.0), b.nan_to_num(7.0)), name
    hidden = torch.from_numpy(mask.to_pixels()[:, None].copy()).expand(-1, 3, -1, -1)
    assert torch.equal(before.pixels, after.pixels)
    assert torch.equal(before.composite, after.composite)
    assert torch.equal(before.composite[~hidden], torch.from_numpy(images)[~hidden])
    assert before.loss != after.loss, "the measure of the error must see the truth"


def test_visible_pixels_do_change_the_latent(saved, draw, precision):
    model = load_reconstructor(saved, device="cpu", precision=precision)
    images, mask = draw(4, 6, 4, [12])
    other = disturbed(images, ~mask)
    before, after = model(images, mask), model(other, mask)
    assert not torch.equal(before.activations["latent"], after.activations["latent"])


def test_the_byte_path_does_not_leak(saved_norm_pix, draw, precision):
    model = load_reconstructor(saved_norm_pix, device="cpu", precision=precision)
    images, mask = draw(4, 6, 4, [12])
    first, second = (
        np.ascontiguousarray((x[0].transpose(1, 2, 0) * 255).astype(np.uint8))
        for x in (images, disturbed(images, mask))
    )
    before, after = (model.reconstruct_picture(x, mask) for x in (first, second))
    assert np.array_equal(before.pixels, after.pixels)
    assert np.array_equal(before.composite, after.composite)


def test_true_statistics_do_leak_and_say_so(saved_norm_pix, draw):
    honest = load_reconstructor(saved_norm_pix, device="cpu", precision="fp32")
    leaking = load_reconstructor(saved_norm_pix, device="cpu", precision="fp32", statistics="true")
    images, mask = draw(4, 6, 4, [12])
    other = disturbed(images, mask)
    assert not torch.equal(leaking(images, mask).composite, leaking(other, mask).composite)
    assert leaking(images, mask).notes[0].startswith("Leak:")
    assert not any("Leak" in note for note in honest(images, mask).notes)


def test_the_training_forward_reads_no_hidden_patch(tiny: MaskedAutoencoder, draw):
    images, mask = draw(4, 6, 4, [15])
    visible, hidden = (
        torch.from_numpy(index.copy()) for index in (mask.visible_indices(), mask.hidden_indices())
    )
    patches = patchify(torch.from_numpy(images), 4)
    poisoned = patches.clone()
    poisoned[0, hidden[0]] = torch.nan
    with torch.no_grad():
        assert torch.equal(tiny(patches, visible, hidden), tiny(poisoned, visible, hidden))


def test_hidden_only_and_full_answers_agree(tiny: MaskedAutoencoder, draw):
    images, mask = draw(4, 6, 4, [15, 15])
    visible, hidden = (
        torch.from_numpy(index.copy()) for index in (mask.visible_indices(), mask.hidden_indices())
    )
    patches = patchify(torch.from_numpy(images), 4)
    with torch.no_grad():
        some = tiny(patches, visible, hidden)
        every = tiny(patches, visible, hidden, everything=True)
    picked = every.gather(1, hidden[..., None].expand(-1, -1, every.shape[-1]))
    torch.testing.assert_close(some, picked, atol=1e-5, rtol=1e-5)
