"""What a target keeps of a picture: descriptions of it, and which of its changes they notice."""

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from workbench.masks import MASKS, Grid
from workbench.models.patches import normalise
from workbench.models.teachers import Teacher
from workbench.objectives.mfm import filtered
from workbench.objectives.targets import TARGETS

Pixels = NDArray[np.uint8]
Description = dict[str, NDArray[np.float32]]
RADIUS = 10.0
SQUARED, ANGLE, BINS = "squared", "angle", "bins"
# The distance that the objectives of each target minimise.
LOSSES = {
    "pixels": SQUARED, "normalised pixels": SQUARED, "HOG": SQUARED, "frequencies": BINS,
    "features": ANGLE,
}  # fmt: skip


def describe(pictures: Sequence[Pixels], patch: int = 12, teacher: str = "default") -> Description:
    """Return what each target says of some pictures, float32 [b, ..., width] by name.

    Args:
        pictures: uint8 [h, w, 3], all of one size, a multiple of `patch`.
        patch: side of a patch in pixels.
        teacher: name or path of the encoder whose features are a target.

    Returns:
        `pixels`, `normalised pixels` and `HOG` [b, n, width]; `frequencies`, real and imaginary
        part of the bins beyond RADIUS cycles a picture of colours normalised as encoders read them
        (orthonormal transform), [b, 3, bins, 2]; `features` of the last layer, [b, n, dim].
    """
    images = tensor(pictures)
    recipes = {
        "pixels": "pixels(norm_pix=False)", "normalised pixels": "pixels()", "HOG": "hog()",
    }  # fmt: skip
    found = {name: TARGETS.parse(text)(images, patch) for name, text in recipes.items()}
    bins = torch.fft.fft2(normalise(images), norm="ortho")
    high = outside(images.shape[2:])
    found["frequencies"] = torch.view_as_real(bins[..., high])
    rows, cols = images.shape[2] // patch, images.shape[3] // patch
    found["features"] = Teacher(teacher, rows, cols).features(images)
    return {name: each.numpy().astype(np.float32) for name, each in found.items()}


def tensor(pictures: Sequence[Pixels]) -> Tensor:
    """Pictures as float32 [b, 3, h, w] in [0, 1]."""
    stacked = np.stack(pictures).transpose(0, 3, 1, 2) / np.float32(255)
    return torch.from_numpy(np.ascontiguousarray(stacked, np.float32))


def outside(size: Sequence[int], radius: float = RADIUS) -> Tensor:
    """The bins of a picture beyond a radius, bool [h, w], in the order of torch's transform."""
    grid = Grid(*size, patch=1, domain="frequency")
    mask = MASKS.parse(f"frequency_disc(radius={radius}, low=1.0)").sample(grid)
    return torch.fft.ifftshift(torch.from_numpy(mask.hidden[0].copy()))


def split_spectrum(picture: Pixels, radius: float = RADIUS) -> tuple[Pixels, Pixels, float]:
    """Return a picture's low frequencies, its high ones around grey, and the variance in the low.

    Args:
        picture: uint8 [h, w, 3].
        radius: of the disc that parts them, in cycles a picture.

    Returns:
        Two pictures, uint8 [h, w, 3], and the share of the variance inside the disc, 0 to 1.
    """
    images, high = tensor([picture]), outside(picture.shape[:2], radius)
    low = filtered(images, high[None, None])
    rest = (images - low + 0.5).clamp(0, 1)
    power = torch.fft.fft2(images)[0].abs().square().sum(0)
    power[0, 0] = 0
    share = float(power[~high].sum() / power.sum())
    parts = [(each[0].permute(1, 2, 0) * 255).round().byte().numpy() for each in (low, rest)]
    return parts[0], parts[1], share


def distance(kind: str, one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """How far apart two descriptions of `kind` lie, as the objectives measure it.

    Mean squared error of pixels and HOG, mean distance of complex bins of frequencies (MFM with
    gamma 1), 2 - 2 cos of features (EVA).
    """
    a, b = torch.from_numpy(one), torch.from_numpy(other)
    if LOSSES[kind] == ANGLE:
        return float((2 - 2 * F.cosine_similarity(a, b, dim=-1)).mean())
    gap = (a - b).square()
    return float(gap.sum(-1).sqrt().mean() if LOSSES[kind] == BINS else gap.mean())


def noticed(
    picture: Pixels, changed: Mapping[str, Pixels], others: Sequence[Pixels], patch: int = 12
) -> dict[str, dict[str, float]]:
    """How much of each change of a picture each target notices.

    Args:
        picture: uint8 [h, w, 3].
        changed: versions of it by name.
        others: other pictures, which say what "all of it" is.
        patch: side of a patch in pixels.

    Returns:
        By change and target the distance to the unchanged picture over the mean distance to the
        others: 0 for a change that the target does not see, 1 for one as large as another picture.
    """
    told = describe([picture, *changed.values(), *others], patch)
    found: dict[str, dict[str, float]] = {name: {} for name in changed}
    for kind, values in told.items():
        gaps = [distance(kind, values[0], each) for each in values[1:]]
        usual = cast(float, np.mean(gaps[len(changed) :]))
        for name, gap in zip(changed, gaps, strict=False):
            found[name][kind] = gap / usual
    return found


def main_colours(features: NDArray[np.float32], rows: int, cols: int) -> NDArray[np.float64]:
    """The three main directions of some features as red, green and blue.

    Args:
        features: [rows * cols, d].
        rows: of patches.
        cols: of patches.

    Returns:
        [rows, cols, 3] in [0, 1]; each direction from its 2nd to its 98th percentile.
    """
    centred = features.astype(np.float64) - features.mean(0)
    main = centred @ np.linalg.svd(centred, full_matrices=False)[2][:3].T
    low, high = np.percentile(main, [2, 98], axis=0)
    return np.clip((main - low) / (high - low), 0, 1).reshape(rows, cols, 3)


def directions(picture: Pixels, cell: int = 8, bins: int = 9) -> NDArray[np.float64]:
    """The HOG target of a picture by cell, mean over its colours: float64 [rows, cols, bins].

    Bin k counts gradients that point between k and k + 1 times 180 / bins degrees, 0 to the right
    and 90 downwards.
    """
    rows, cols = picture.shape[0] // cell, picture.shape[1] // cell
    hog = TARGETS.parse(f"hog(bins={bins}, cell={cell})")(tensor([picture]), cell)
    return hog[0].numpy().astype(np.float64).reshape(rows, cols, 3, bins).mean(2)
