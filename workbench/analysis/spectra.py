"""Pictures and their frequencies: a centred Fourier transform and what a frequency mask leaves."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def spectrum(image: NDArray[Any]) -> NDArray[np.complex128]:
    """Return the centred Fourier transform over the first two axes, complex [h, w, ...].

    The zero frequency stands at [h // 2, w // 2], as on a grid of the domain "frequency".
    """
    return np.fft.fftshift(np.fft.fft2(image, axes=(0, 1)), axes=(0, 1))


def without(image: NDArray[Any], hidden: NDArray[np.bool_]) -> Floats:
    """Return the picture without its hidden frequencies, float64, of the image's shape.

    `image` is [h, w] or [h, w, channels], `hidden` bool [h, w], True = removed. The real part of
    the inverse transform, not clamped: of an image in [0, 1] it may leave that range. Where the
    mask is symmetric about the zero frequency the imaginary part is zero to rounding.
    """
    kept = ~hidden if image.ndim == 2 else ~hidden[..., None]
    centred = spectrum(image) * kept
    return np.fft.ifft2(np.fft.ifftshift(centred, axes=(0, 1)), axes=(0, 1)).real
