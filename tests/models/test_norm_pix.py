import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from workbench.models import load_reconstructor
from workbench.models.patches import normalise, patchify, unpatchify
from workbench.models.targets import patch_statistics, patch_targets, spread_over_hidden


def test_targets_follow_the_official_formula():
    # facebookresearch/mae, models_mae.py, forward_loss: (x - mean) / (var + 1.e-6)**.5, var ddof 1.
    patches = torch.randn(2, 5, 48) * 3 + 1
    x = patches.double().numpy()
    wanted = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, ddof=1, keepdims=True) + 1e-6)
    got = patch_targets(patches, norm_pix=True)
    np.testing.assert_allclose(got.numpy(), wanted, atol=1e-5)
    assert patch_targets(patches, norm_pix=False) is patches


def test_a_constant_patch_has_a_finite_target():
    assert patch_targets(torch.full((1, 1, 48), 0.7), True).abs().max() < 1e-3


@given(
    rows=st.integers(1, 6), cols=st.integers(2, 6), seed=st.integers(0, 99), share=st.floats(0, 1)
)
def test_filled_values_are_the_mean_of_their_neighbours(rows, cols, seed, share):
    rng = np.random.default_rng(seed)
    hidden = rng.random(rows * cols) < share
    hidden[rng.integers(rows * cols)] = False
    values = torch.from_numpy(rng.random((rows * cols, 2), dtype=np.float32))
    filled = spread_over_hidden(values, hidden, rows, cols).numpy()
    assert np.array_equal(filled[~hidden], values.numpy()[~hidden])
    board = filled.reshape(rows, cols, 2)
    for at in np.flatnonzero(hidden):
        y, x = divmod(int(at), cols)
        around = [
            board[j, i]
            for j, i in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1))
            if 0 <= j < rows and 0 <= i < cols
        ]
        np.testing.assert_allclose(board[y, x], np.mean(around, axis=0), atol=1e-5)


def test_filling_does_not_read_hidden_values():
    hidden = np.array([False, True, True, False, True, True])
    values = torch.rand(6, 2)
    poisoned = values.clone()
    poisoned[torch.from_numpy(hidden)] = torch.nan
    assert torch.equal(
        spread_over_hidden(values, hidden, 2, 3), spread_over_hidden(poisoned, hidden, 2, 3)
    )


def undone(answer, images, hidden, rows, cols):
    """Undo by hand: raw * spread + mean, statistics of hidden patches from visible ones."""
    patches = patchify(normalise(torch.from_numpy(images)), 4)
    mean, spread = patch_statistics(patches)
    both = torch.cat([mean, spread], -1)[0]
    if hidden is not None:
        both = spread_over_hidden(both, hidden, rows, cols)
    raw = answer.activations["prediction"][0]
    pictures = unpatchify((raw * both[:, 1:] + both[:, :1])[None], rows, cols, 4)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return (pictures * std[:, None, None] + mean[:, None, None]).clamp(0, 1)


@pytest.mark.parametrize("statistics", ["visible", "true"])
def test_pixels_come_back_with_the_stated_statistics(saved_norm_pix, draw, statistics):
    model = load_reconstructor(
        saved_norm_pix, device="cpu", precision="fp32", statistics=statistics
    )
    images, mask = draw(4, 6, 4, [16])
    answer = model(images, mask)
    hidden = mask.hidden.reshape(-1) if statistics == "visible" else None
    torch.testing.assert_close(
        answer.pixels, undone(answer, images, hidden, 4, 6), atol=1e-5, rtol=1e-5
    )
    assert "brightness and contrast" in answer.notes[0]


def test_the_loss_is_that_of_normalised_targets(saved_norm_pix, draw):
    model = load_reconstructor(saved_norm_pix, device="cpu", precision="fp32")
    images, mask = draw(4, 6, 4, [16, 3])
    answer = model(images, mask)
    x = patchify(normalise(torch.from_numpy(images)), 4).double().numpy()
    target = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, ddof=1, keepdims=True) + 1e-6)
    errors = (answer.activations["prediction"].numpy() - target) ** 2
    wanted = errors.mean(-1)[mask.hidden.reshape(2, -1)].mean()
    assert answer.loss == pytest.approx(wanted, rel=1e-5)


def test_a_file_that_is_silent_is_said_to_be(saved, draw):
    from dataclasses import replace

    from workbench.models.checkpoint import read_checkpoint
    from workbench.models.reconstruction import Reconstructor

    silent = Reconstructor(replace(read_checkpoint(saved), norm_pix=None))
    assert silent.notes[0].startswith("The file does not say whether")
    told = load_reconstructor(saved, device="cpu", norm_pix=True)
    assert told.norm_pix and "brightness and contrast" in told.notes[0]
    assert load_reconstructor(saved, device="cpu").notes == ()
