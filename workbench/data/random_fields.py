"""Changes that vary over a picture, drawn as smooth random fields: warps and local colours."""

from typing import TYPE_CHECKING

import numpy as np

from workbench.seeds import Noise

if TYPE_CHECKING:
    import torch
    from torch import Tensor

STREAM = 3  # of an augmentation's noise; see `augment` for the others
SLOPE = 4.0
COARSE = 32  # cells a side that a field is drawn on; larger pictures enlarge it
FIELDS = 5  # right, down, brightness, contrast, hue
SHIFT, GAIN, TURN = 0.06, 0.25, 0.5  # at strength 1: half sides, shares, radians


def random_fields(
    noise: Noise, count: int, side: int, slope: float, device: "torch.device | str" = "cpu"
) -> "Tensor":
    """Return Gaussian random fields whose power falls as frequency ** -slope.

    White noise is shaped in the Fourier domain, so a field goes on at the opposite edge; its mean
    is 0 and its expected variance 1.

    Args:
        noise: one row a picture; row i depends on (seed, step, i) alone.
        count: fields a picture.
        side: cells a side.
        slope: 0 for white noise; 2 and more are smooth.
        device: where they are made.

    Returns:
        float32 [rows, count, side, side].
    """
    import torch

    uniform = noise.uniform(count * side * side, STREAM).astype(np.float32)
    white = torch.from_numpy(uniform).to(device).view(-1, count, side, side).sub_(0.5)
    down = torch.fft.fftfreq(side, device=device)[:, None]
    across = torch.fft.fftfreq(side, device=device)[None]
    frequency = (down.square() + across.square()).sqrt()
    gain = torch.where(frequency > 0, frequency.clamp_min(1 / side) ** (-slope / 2), 0.0)
    # Uniform numbers have variance 1/12; each coefficient is a sum of all, and so nearly Gaussian.
    gain = gain * (12 / gain.square().mean()).sqrt()
    half = gain[:, : side // 2 + 1]
    return torch.fft.irfft2(torch.fft.rfft2(white) * half, s=(side, side))


def varied(pixels: "Tensor", noise: Noise, strength: float) -> "Tensor":
    """Warp pictures and change brightness, contrast and hue, each by a field of its own.

    After Mansfield et al., Random Field Augmentations for Self-Supervised Representation Learning
    (arXiv:2311.03629). No official code is known: the transformations are the paper's, the slope of
    the fields and what strength 1 means are ours.

    Args:
        pixels: float32 [b, c, h, w] in [0, 1]; hue turns where c is 3.
        noise: one row a picture.
        strength: 0 changes nothing. At 1 the standard deviations are a 33rd of the side for the
            warp, a quarter for brightness and contrast, and half a radian for hue.

    Returns:
        The same shape, in [0, 1].
    """
    import torch
    import torch.nn.functional as F

    if not strength:
        return pixels
    b, channels, h, w = pixels.shape
    side = min(COARSE, max(h, w))
    found = random_fields(noise, FIELDS, side, SLOPE, pixels.device) * strength
    if (h, w) != (side, side):
        found = F.interpolate(found, (h, w), mode="bicubic", align_corners=False)
    still = torch.eye(2, 3, device=pixels.device).expand(b, -1, -1)
    grid = F.affine_grid(still, [b, channels, h, w], align_corners=False)
    grid = grid + SHIFT * found[:, :2].permute(0, 2, 3, 1)
    pixels = F.grid_sample(pixels, grid, padding_mode="reflection", align_corners=False)
    bright, contrast = (1 + GAIN * found[:, 2:4]).clamp(0, 2).unsqueeze(2).unbind(1)
    pixels = pixels * bright
    middle = pixels.mean((2, 3), keepdim=True)
    pixels = middle + contrast * (pixels - middle)
    if channels == 3:
        pixels = _turned(pixels, TURN * found[:, 4:])
    return pixels.clamp(0, 1)


def _turned(pixels: "Tensor", angle: "Tensor") -> "Tensor":
    """Turn each pixel [b, 3, h, w] about the grey axis by an angle [b, 1, h, w]."""
    grey = pixels.mean(1, keepdim=True)
    color = pixels - grey
    # Of the axis k = (1, 1, 1) / sqrt(3): k x color, component by component.
    across = (color.roll(1, 1) - color.roll(-1, 1)) / 3**0.5
    return grey + color * angle.cos() + across * angle.sin()
