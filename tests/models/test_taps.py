"""A tap opens a model for maps and gradients, and says what the fast copy says."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from workbench.errors import BadInput
from workbench.models import load_encoder, load_reconstructor
from workbench.models.taps import quietly, tap


@pytest.mark.parametrize("which", ["saved", "saved_norm_pix"])
def test_a_tap_has_the_models_own_loss(
    which: str, request: pytest.FixtureRequest, draw: Callable[..., Any]
) -> None:
    path: Path = request.getfixturevalue(which)
    model = load_reconstructor(path, device="cpu", precision="fp32")
    images, mask = draw(4, 6, 4, [15])
    look = tap(model)
    order = np.argsort(mask.hidden.reshape(1, -1), axis=1, kind="stable")
    visible, hidden = torch.from_numpy(order[:, :9]), torch.from_numpy(order[:, 9:])
    loss, attention = look.loss(look.patches(images), visible, hidden)
    assert float(loss[0]) == pytest.approx(model(images, mask).loss, rel=1e-4)
    assert attention.shape == (1, 2, 10, 10)
    assert torch.allclose(attention.sum(-1), torch.ones(1, 2, 10), atol=1e-5)


def test_a_tap_sees_what_the_encoder_gives_and_is_opened_once(saved: Path) -> None:
    model = load_reconstructor(saved, device="cpu", precision="bf16")
    look = tap(model)
    assert tap(model) is look and look.grid == model.grid
    images = np.random.default_rng(0).random((2, 3, 16, 24), dtype=np.float32)
    with quietly(0):
        tokens = look.see(look.patches(images)).tokens
        wanted = load_encoder(saved).float()(look.patches(images))
    assert torch.allclose(tokens, wanted, atol=1e-5) and tokens.dtype == torch.float32
    plain = np.broadcast_to(images[:, :, :1, :1], images.shape)
    larger = np.repeat(np.repeat(plain, 2, 2), 2, 3)
    assert torch.allclose(look.patches(larger), look.patches(plain), atol=1e-5)


def test_a_tap_refuses_what_is_not_there(saved: Path) -> None:
    encoder = load_encoder(saved)
    kept = {name: (each.dtype, each.requires_grad) for name, each in encoder.named_parameters()}
    look = tap(encoder)
    look.see(look.patches(np.zeros((1, 3, 16, 24), np.float32)))
    with pytest.raises(BadInput, match="an encoder without a decoder, so it has no reconstruction"):
        look.autoencoder()
    with pytest.raises(BadInput, match="block is 2, but the model has 2 blocks; take one from 0"):
        look.check_block(2)
    after = {name: (each.dtype, each.requires_grad) for name, each in encoder.named_parameters()}
    assert kept == after


def test_a_model_whose_file_is_gone_says_so_when_it_is_opened(saved: Path, tmp_path: Path) -> None:
    for ending in (".safetensors", ".json"):
        (tmp_path / f"tiny{ending}").write_bytes(saved.with_suffix(ending).read_bytes())
    model = load_reconstructor(tmp_path / "tiny.safetensors", device="cpu", precision="fp32")
    (tmp_path / "tiny.safetensors").unlink()
    with pytest.raises(BadInput, match=r"tiny\.safetensors"):
        tap(model)
