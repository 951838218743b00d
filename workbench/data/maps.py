"""Maps in files: one number a pixel, or several, as arrays and pictures of many bits hold them."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput

MOST_BYTES = 1 << 30


def read_map(path: Path) -> NDArray[Any]:
    """Read one number a pixel, [h, w]: an .npy, or the first channel of a picture.

    Raises:
        BadInput: it cannot be read, or has other axes.
    """
    found = read_planes(path)
    if found.ndim == 3 and path.suffix.lower() != ".npy":
        found = found[..., 0]
    if found.ndim != 2:
        raise BadInput(f"{path} has the shape {found.shape}, wanted [h, w], one number a pixel.")
    return found


def read_planes(path: Path) -> NDArray[Any]:
    """Read an array [h, w] or [h, w, c] from an .npy, a TIFF, a PNG or another picture.

    Raises:
        BadInput: it cannot be read, is too large, or holds no plain numbers.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError("larger than 1 GB")
        if path.suffix.lower() == ".npy":
            found = np.load(path, allow_pickle=False)
        elif path.suffix.lower() in (".tif", ".tiff"):
            from skimage.io import imread

            found = np.asarray(imread(path))
        else:
            from PIL import Image

            with Image.open(path) as picture:
                found = np.asarray(picture)
    except Exception as problem:  # readers of foreign files raise many kinds
        raise BadInput(f"{path} cannot be read ({problem}); save it as .npy.") from None
    if found.dtype.kind not in "uif" or found.ndim not in (2, 3) or not found.size:
        raise BadInput(
            f"{path} is {found.dtype} {found.shape}, wanted numbers [h, w] or [h, w, c]."
        )
    return found


def squared(values: NDArray[Any], side: int) -> NDArray[Any]:
    """The largest centred square of [h, w] or [h, w, c] at another side, by the nearest pixel."""
    h, w = values.shape[:2]
    edge = min(h, w)
    at = ((np.arange(side) + 0.5) * edge / side).astype(np.int64)
    return values[(h - edge) // 2 + at][:, (w - edge) // 2 + at]
