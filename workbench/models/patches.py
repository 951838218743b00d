"""Pictures to patches and back: the one place that knows the order of pixels inside a patch."""

from torch import Tensor

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


def patchify(images: Tensor, patch: int) -> Tensor:
    """Cut images into flattened patches, row by row, each patch stored as (y, x, channel).

    Args:
        images: [b, c, h, w]; h and w must be multiples of `patch`.
        patch: side of a patch in pixels.

    Returns:
        [b, rows * cols, patch * patch * c]. The inner order is that of `patchify` in
        facebookresearch/mae `models_mae.py` (arXiv:2111.06377), so its decoders can be read.

    Raises:
        ValueError: if the sides are not multiples of `patch`.
    """
    b, c, h, w = images.shape
    if h % patch or w % patch:
        raise ValueError(f"images are {h} x {w}, wanted multiples of the patch side {patch}")
    cut = images.reshape(b, c, h // patch, patch, w // patch, patch)
    return cut.permute(0, 2, 4, 3, 5, 1).reshape(b, -1, patch * patch * c)


def unpatchify(patches: Tensor, rows: int, cols: int, patch: int) -> Tensor:
    """Undo `patchify` exactly.

    Args:
        patches: [b, rows * cols, patch * patch * c].
        rows: patches from top to bottom.
        cols: patches from left to right.
        patch: side of a patch in pixels.

    Returns:
        [b, c, rows * patch, cols * patch].
    """
    b, _, width = patches.shape
    c = width // (patch * patch)
    cut = patches.reshape(b, rows, cols, patch, patch, c)
    return cut.permute(0, 5, 1, 3, 2, 4).reshape(b, c, rows * patch, cols * patch)


def normalise(images: Tensor) -> Tensor:
    """Move [b, 3, h, w] from [0, 1] RGB to the ImageNet-normalised space the models work in."""
    mean = images.new_tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
    std = images.new_tensor(IMAGENET_STD).view(1, 3, 1, 1)
    return (images - mean) / std


def denormalise(images: Tensor) -> Tensor:
    """Undo `normalise`; values are not clipped."""
    mean = images.new_tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
    std = images.new_tensor(IMAGENET_STD).view(1, 3, 1, 1)
    return images * std + mean
