"""What a decoder is asked to say, and how a normalised answer becomes pixels again."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

EPS = 1e-6


def patch_targets(patches: Tensor, norm_pix: bool) -> Tensor:
    """What the decoder should say: the patches, or the patches normalised one by one.

    Args:
        patches: [b, n, p], ImageNet-normalised pixels.
        norm_pix: subtract each patch's mean and divide by sqrt(variance + 1e-6), variance with
            n - 1 in the denominator, as `forward_loss` of facebookresearch/mae does.

    Returns:
        [b, n, p].
    """
    if not norm_pix:
        return patches
    mean, spread = patch_statistics(patches)
    return (patches - mean).div_(spread)


def patch_statistics(patches: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and sqrt(variance + 1e-6) of each patch over its pixels and channels, [b, n, 1] each."""
    mean = patches.mean(-1, keepdim=True)
    # As exact as `var`, which goes through every row on its own and takes 7 times as long.
    variance = (patches - mean).square_().sum(-1, keepdim=True) / (patches.shape[-1] - 1)
    return mean, (variance + EPS).sqrt()


def hidden_loss(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean squared error over hidden patches only: both [b, hidden, p], same order."""
    return (prediction.float() - target.float()).square().mean()


def estimated(
    values: NDArray[np.float32], hidden: NDArray[np.bool_], rows: int, cols: int
) -> NDArray[np.float32]:
    """`spread_over_hidden` for arrays."""
    return spread_over_hidden(torch.from_numpy(values), hidden, rows, cols).numpy()


def spread_over_hidden(values: Tensor, hidden: np.ndarray, rows: int, cols: int) -> Tensor:
    """Fill in one value a patch for hidden patches from the visible ones; hidden ones are not read.

    The filled values are harmonic on the patch lattice: each is the mean of its neighbours (4, 3
    or 2 at the border), so they stay between the smallest and the largest visible value.

    Args:
        values: [n, k], k values a patch; float32.
        hidden: bool [n], row by row; at least one must be False.
        rows: patches from top to bottom.
        cols: patches from left to right.

    Returns:
        [n, k]; visible rows equal those of `values`.
    """
    cells = np.arange(rows * cols).reshape(rows, cols)
    across = np.stack([cells[:, :-1].ravel(), cells[:, 1:].ravel()])
    down = np.stack([cells[:-1].ravel(), cells[1:].ravel()])
    pairs = np.concatenate([across, down], axis=1)
    links = np.zeros((rows * cols, rows * cols))
    links[pairs[0], pairs[1]] = links[pairs[1], pairs[0]] = 1.0
    known = values.cpu().double().numpy()[~hidden]
    laplacian = np.diag(links.sum(1)) - links
    inner = laplacian[np.ix_(hidden, hidden)]
    found = np.linalg.solve(inner, links[np.ix_(hidden, ~hidden)] @ known)
    out = values.clone()
    out[torch.from_numpy(np.flatnonzero(hidden)).to(values.device)] = torch.from_numpy(found).to(
        values
    )
    return out
