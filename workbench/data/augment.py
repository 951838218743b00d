"""Batches of pictures on any device: cropped, mirrored and recoloured together, not one by one."""

from typing import TYPE_CHECKING

import numpy as np

from workbench.seeds import Noise

if TYPE_CHECKING:
    from torch import Tensor

CROP_STREAM, FLIP_STREAM, COLOR_STREAM = 0, 1, 2
GREY_SHARE = 0.2
ASPECT = 4 / 3


def augmented(
    images: "Tensor", noise: Noise, size: int, *, crop: float, flip: bool, color: float
) -> "Tensor":
    """Return one augmented view of each picture; row i depends on (seed, step, i) alone.

    Args:
        images: uint8 [b, h, w, c]; c is 3 where `color` is not 0.
        noise: one row a picture.
        size: side of the view in pixels.
        crop: smallest share of the area that is cut out, 0 to 1, with an aspect ratio from 3/4 to
            4/3; 1 for the whole picture.
        flip: mirror half of the pictures.
        color: strength of changes of brightness, contrast and saturation (factors within 1 +- 0.4
            times it), and of grey pictures (a fifth, times it, of them); 0 for none.

    Returns:
        float32 [b, c, size, size] in [0, 1].
    """
    pixels = images.permute(0, 3, 1, 2).float().div_(255)
    pixels = _cut(pixels, noise, size, crop, flip, "bilinear")
    return _recoloured(pixels, noise, color) if color else pixels


def augmented_maps(maps: "Tensor", noise: Noise, size: int, *, crop: float, flip: bool) -> "Tensor":
    """Return labels or depth cut and mirrored as `augmented` does with the same noise.

    Values are taken from the nearest pixel, never mixed. Any kind of number [b, c, h, w] to
    float32 [b, c, size, size].
    """
    return _cut(maps.float(), noise, size, crop, flip, "nearest")


def plain_maps(maps: "Tensor", size: int) -> "Tensor":
    """Return maps as they are measured: [b, c, h, w] to float32 [b, c, size, size], nearest."""
    import torch.nn.functional as F

    values = maps.float()
    if values.shape[2:] == (size, size):
        return values
    return F.interpolate(values, (size, size), mode="nearest-exact")


def _cut(pixels: "Tensor", noise: Noise, size: int, crop: float, flip: bool, how: str) -> "Tensor":
    import torch
    import torch.nn.functional as F

    h, w = pixels.shape[2:]
    mirrored = noise.uniform(1, FLIP_STREAM)[:, 0] < 0.5 if flip else np.zeros(noise.count, bool)
    if crop < 1 or (h, w) != (size, size):
        matrix = torch.from_numpy(_boxes(noise, crop, mirrored)).to(pixels.device)
        grid = F.affine_grid(matrix, [len(pixels), 1, size, size], align_corners=False)
        return F.grid_sample(pixels, grid, mode=how, padding_mode="reflection", align_corners=False)
    if flip:
        turned = torch.from_numpy(mirrored).to(pixels.device)
        return torch.where(turned[:, None, None, None], pixels.flip(3), pixels)
    return pixels


def plain(images: "Tensor", size: int) -> "Tensor":
    """Return pictures as they are measured: uint8 [b, h, w, c] to float32 [b, c, size, size]."""
    import torch.nn.functional as F

    pixels = images.permute(0, 3, 1, 2).float().div_(255)
    if pixels.shape[2:] == (size, size):
        return pixels.contiguous()
    return F.interpolate(pixels, (size, size), mode="bilinear", antialias=True)


def _boxes(noise: Noise, crop: float, mirrored: np.ndarray) -> np.ndarray:
    """Affine maps [b, 2, 3] from the view's coordinates to the picture's, both -1 to 1."""
    u = noise.uniform(4, CROP_STREAM)
    area = crop + (1 - crop) * u[:, 0]
    aspect = np.exp((2 * u[:, 1] - 1) * np.log(ASPECT)) if crop < 1 else np.ones(noise.count)
    wide = np.minimum(1.0, np.sqrt(area * aspect))
    tall = np.minimum(1.0, np.sqrt(area / aspect))
    out = np.zeros((noise.count, 2, 3), np.float32)
    out[:, 0, 0] = np.where(mirrored, -wide, wide)
    out[:, 1, 1] = tall
    out[:, 0, 2] = (2 * u[:, 2] - 1) * (1 - wide)
    out[:, 1, 2] = (2 * u[:, 3] - 1) * (1 - tall)
    return out


def _recoloured(pixels: "Tensor", noise: Noise, strength: float) -> "Tensor":
    import torch

    u = torch.from_numpy(noise.uniform(4, COLOR_STREAM).astype(np.float32)).to(pixels.device)
    reach = min(1.0, 0.4 * strength)
    bright, contrast, saturation = ((1 - reach + 2 * reach * u[:, :3]).T)[..., None, None, None]
    weights = pixels.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    pixels = pixels * bright
    grey = (pixels * weights).sum(1, keepdim=True)
    pixels = contrast * pixels + (1 - contrast) * grey.mean((2, 3), keepdim=True)
    grey = (pixels * weights).sum(1, keepdim=True)
    colourless = (u[:, 3] < GREY_SHARE * min(1.0, strength))[:, None, None, None]
    saturation = torch.where(colourless, torch.zeros_like(saturation), saturation)
    return (saturation * pixels + (1 - saturation) * grey).clamp(0, 1)
