from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from workbench.masks import Grid, Mask
from workbench.models.checkpoint import save_checkpoint
from workbench.models.mae import DecoderShape, MaskedAutoencoder
from workbench.models.transformer import ViTShape


def scramble(module: nn.Module, seed: int = 0) -> nn.Module:
    """Give every parameter random values, so that no swapped or dropped weight hides."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in module.parameters():
            gain = 1.0 if p.ndim < 2 else 0.5
            noise = torch.randn(p.shape, generator=generator) * gain / max(1, p.shape[-1]) ** 0.5
            p.copy_(noise + (0.3 if p.ndim < 2 else 0.0))
    return module.eval()


@pytest.fixture(scope="session")
def scrambled() -> Callable[..., nn.Module]:
    return scramble


@pytest.fixture(scope="session")
def tiny() -> MaskedAutoencoder:
    """A masked autoencoder for 4 x 6 patches of 4 px with random weights."""
    shape = ViTShape(rows=4, cols=6, patch=4, dim=32, depth=2, heads=2, hidden=48)
    model = MaskedAutoencoder(shape, DecoderShape(dim=16, depth=2, heads=2, hidden=24))
    scramble(model)
    return model


@pytest.fixture(scope="session")
def saved(tiny: MaskedAutoencoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`tiny` as a checkpoint of ours that predicts plain pixels."""
    path = tmp_path_factory.mktemp("saved") / "tiny.safetensors"
    save_checkpoint(tiny, path, {"norm_pix": False, "title": "Tiny"})
    return path


@pytest.fixture(scope="session")
def saved_norm_pix(tiny: MaskedAutoencoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "normal.safetensors"
    save_checkpoint(tiny, path, {"norm_pix": True})
    return path


@pytest.fixture(scope="session")
def draw() -> Callable[..., Any]:
    """`draw(rows, cols, patch, counts)`: random images [b, 3, h, w] and masks hiding `counts`."""

    def make(
        rows: int, cols: int, patch: int, counts: list[int], seed: int = 0
    ) -> tuple[np.ndarray, Mask]:
        rng = np.random.default_rng(seed)
        images = rng.random((len(counts), 3, rows * patch, cols * patch), dtype=np.float32)
        hidden = np.zeros((len(counts), rows * cols), bool)
        for row, count in zip(hidden, counts, strict=True):
            row[rng.permutation(rows * cols)[:count]] = True
        return images, Mask(hidden.reshape(-1, rows, cols), Grid(rows, cols, patch=patch))

    return make
