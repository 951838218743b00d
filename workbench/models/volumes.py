"""Clips as cubes: positions in time and space, and cubes of several frames as patches."""

import numpy as np
import torch
from torch import Tensor

from workbench.models.mae import MaskedAutoencoder, sincos_positions
from workbench.models.patches import patchify, unpatchify


class ClipAutoencoder(MaskedAutoencoder):
    """A masked autoencoder of cubes; no picture can be given to it."""


def volume_positions(dim: int, slots: int, rows: int, cols: int, prefix: int) -> Tensor:
    """Fixed positions of [slots, rows, cols] cells, float32 [1, prefix + cells, dim].

    Those of MAE for the place in the picture, plus a sine and cosine of the time.
    """
    plane = sincos_positions(dim, rows, cols, 0)
    omega = 1.0 / 10000 ** (np.arange(dim // 2, dtype=np.float64) / (dim / 2))
    angle = np.arange(slots, dtype=np.float64)[:, None] * omega
    time = np.concatenate([np.sin(angle), np.cos(angle)], axis=1)[:, None]
    table = (plane + time).reshape(1, -1, dim)
    whole = np.concatenate([np.zeros((1, prefix, dim)), table], axis=1).astype(np.float32)
    return torch.from_numpy(whole)


def cubes(clips: Tensor, patch: int, depth: int) -> Tensor:
    """Cut clips [b, frames, 3, h, w] into cubes, slot by slot and then row by row.

    Returns:
        [b, frames / depth * rows * cols, patch * patch * depth * 3], a cube stored as
        (y, x, frame, channel).
    """
    b, frames, c, h, w = clips.shape
    flat = clips.reshape(b * (frames // depth), depth * c, h, w)
    return patchify(flat, patch).reshape(b, -1, patch * patch * depth * c)


def uncubed(values: Tensor, slots: int, rows: int, cols: int, patch: int, depth: int) -> Tensor:
    """Undo `cubes`, giving [b, frames, c, h, w]."""
    b, _, width = values.shape
    flat = unpatchify(values.reshape(b * slots, rows * cols, width), rows, cols, patch)
    return flat.reshape(b, slots * depth, -1, *flat.shape[2:])


def cube_statistics(values: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and spread of each cube and colour over its pixels and frames, [b, n, 1, 3] each.

    The spread is sqrt(variance) + 1e-6 with n - 1 in the denominator, colour by colour, as the
    engine of VideoMAE has it (MAE: all colours together, 1e-6 inside the root).
    """
    pixels = values.unflatten(-1, (-1, 3))
    return pixels.mean(-2, keepdim=True), pixels.var(-2, keepdim=True).sqrt() + 1e-6
