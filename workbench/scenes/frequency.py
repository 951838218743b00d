"""A photo without the frequencies that a mask hides, as pictures."""

import numpy as np

from workbench.analysis.spectra import spectrum, without
from workbench.errors import BadInput
from workbench.masks import Mask
from workbench.scenes.photos import Pixels

LUMA = np.array([0.299, 0.587, 0.114])


def frequency_pictures(image: Pixels, mask: Mask) -> tuple[Pixels, Pixels]:
    """Return the photo without its hidden frequencies: (unclamped, clamped), uint8 [h, w, 3].

    `image` is uint8 [h, w, 3]; `mask` one mask on `Grid(h, w, patch=1, domain="frequency")`. The
    clamped picture is what MFM gives to its network: the real part of the inverse transform cut to
    [0, 1], so that removed frequencies come back. The unclamped one shows every value: the scale
    runs in all channels alike from the lowest value, or 0, to the highest, or 1. A picture within
    [0, 1] is the same in both; where the mean is removed, grey stands for it.

    Xie et al., MFM; official file `models/mfm.py`.

    Raises:
        BadInput: several masks, another domain, or another size than the photo's.
    """
    _check(image, mask)
    hidden = mask.to_pixels().reshape(image.shape[:2])
    left = without(image / 255.0, hidden)
    low, high = min(0.0, float(left.min())), max(1.0, float(left.max()))
    return _bytes((left - low) / (high - low)), _bytes(left)


def spectrum_picture(image: Pixels, mask: Mask | None = None) -> Pixels:
    """Return the logarithm of the photo's amplitudes, uint8 [h, w, 3], black = hidden.

    The zero frequency stands in the middle. Amplitudes are those of the luma; the scale runs from
    the smallest to the largest of the whole photo, whatever is hidden, so that pictures of several
    masks can be compared.

    Raises:
        BadInput: as in `frequency_pictures`.
    """
    amplitude = np.log1p(np.abs(spectrum(image @ LUMA)))
    low, high = float(amplitude.min()), float(amplitude.max())
    grey = (amplitude - low) / max(high - low, 1e-12)
    if mask is not None:
        _check(image, mask)
        grey = grey * ~mask.to_pixels().reshape(image.shape[:2])
    return np.repeat(_bytes(grey)[..., None], 3, axis=2)


def _check(image: Pixels, mask: Mask) -> None:
    height, width = image.shape[:2]
    wanted = f'Grid({height}, {width}, patch=1, domain="frequency")'
    grid = mask.grid
    if grid.domain != "frequency":
        raise BadInput(
            f"The mask lives on a grid of the domain {grid.domain!r}, but a frequency mask is "
            f"wanted; draw it on {wanted}."
        )
    if len(mask) != 1 or grid.pixels != (height, width) or (grid.frames or 1) != 1:
        raise BadInput(
            f"{len(mask)} masks on {grid.shape} do not fit one photo of {width} x {height}; draw "
            f"one on {wanted}."
        )


def _bytes(values: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]") -> Pixels:
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
