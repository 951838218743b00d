"""How far a composite is from the original, on hidden pixels only."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput

Floats = NDArray[np.float32]
SIGMA = 1.5
RADIUS = 5
C1, C2, CENTRE = np.float32(0.01**2), np.float32(0.03**2), np.float32(0.5)
_BELL = np.exp(-0.5 * np.square(np.arange(-RADIUS, RADIUS + 1) / SIGMA))
WINDOW = _BELL / _BELL.sum()


@dataclass(frozen=True)
class Metrics:
    """Errors over `pixels` hidden pixels; None where there is none.

    `mse` is in squared units of [0, 1] RGB; `psnr_db` = 10 log10(1 / mse), infinite for a perfect
    composite; `ssim` is at most 1.
    """

    mse: float | None
    psnr_db: float | None
    ssim: float | None
    pixels: int


def hidden_metrics(
    original: NDArray[np.floating], composite: NDArray[np.floating], hidden: NDArray[np.bool_]
) -> Metrics:
    """Compare two pictures where `hidden` is True.

    SSIM is the mean of the structural similarity map (Gaussian window, sigma 1.5, data range 1) of
    the whole composite over hidden pixels and channels; it is None for pictures below 11 px a side.

    Args:
        original: float [3, h, w] or [h, w, 3] in [0, 1].
        composite: the same shape.
        hidden: bool [h, w].

    Raises:
        BadInput: shapes that do not go together.
    """
    first, second = _interleaved(original, hidden), _interleaved(composite, hidden)
    count = int(np.count_nonzero(hidden))
    if count == 0:
        return Metrics(None, None, None, 0)
    mse = float(np.square(first - second)[hidden].mean(dtype=np.float64))
    psnr = float("inf") if mse == 0 else -10 * float(np.log10(mse))
    ssim = None
    if min(hidden.shape) > 2 * RADIUS:
        ssim = float(ssim_map(first, second)[hidden].mean(dtype=np.float64))
    return Metrics(mse, psnr, ssim, count)


def ssim_map(first: Floats, second: Floats) -> Floats:
    """Return the structural similarity of two pictures at every pixel.

    Wang, Bovik, Sheikh and Simoncelli, Image Quality Assessment, IEEE TIP 13(4), 2004, with their
    Gaussian window cut at 11 x 11 and the border mirrored; equal to scikit-image's
    `structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False)`.

    Single precision, good to about 1e-4 at a pixel; variances are taken around mid-grey, because
    the difference of two large squares would lose flat areas.

    Args:
        first: float32 [h, w, c] in [0, 1].
        second: float32 [h, w, c] in [0, 1].

    Returns:
        float32 [h, w, c].
    """
    a, b = first - CENTRE, second - CENTRE
    mean_a, mean_b = _smooth(a), _smooth(b)
    spread = _smooth(a * a + b * b) - mean_a * mean_a - mean_b * mean_b
    together = _smooth(a * b) - mean_a * mean_b
    mean_a, mean_b = mean_a + CENTRE, mean_b + CENTRE
    product, squares = mean_a * mean_b, mean_a * mean_a + mean_b * mean_b
    brightness = (product + product + C1) / (squares + C1)
    structure = (together + together + C2) / (spread + C2)
    return (brightness * structure).astype(np.float32, copy=False)


def _smooth(picture: NDArray[np.floating]) -> Floats:
    import cv2  # a quarter of the time of SciPy's filter, and far quicker to import

    done = cv2.sepFilter2D(picture, -1, WINDOW, WINDOW, borderType=cv2.BORDER_REFLECT)
    return np.asarray(done, np.float32).reshape(picture.shape)


def _interleaved(picture: NDArray[np.floating], hidden: NDArray[np.bool_]) -> Floats:
    if picture.shape == (3, *hidden.shape):
        return np.ascontiguousarray(picture.transpose(1, 2, 0), np.float32)
    if picture.shape == (*hidden.shape, 3):
        return np.ascontiguousarray(picture, np.float32)
    raise BadInput(
        f"a picture of shape {picture.shape} does not go with hidden pixels of shape "
        f"{hidden.shape}; give [3, h, w] or [h, w, 3] with hidden [h, w]"
    )
