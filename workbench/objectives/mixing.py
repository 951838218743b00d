"""Mixed pictures with mixed labels (mixup, arXiv:1710.09412), for learning from labels."""

import numpy as np
import torch.nn.functional as F
from torch import Tensor

STREAM = 3


def mixing_share(alpha: float, seed: int, step: int) -> float:
    """Return the share of the first picture, drawn from Beta(alpha, alpha); 1 for an alpha of 0."""
    if alpha == 0:
        return 1.0
    key = [seed, (step << 8) | STREAM]
    return float(np.random.Generator(np.random.Philox(key=key)).beta(alpha, alpha))


def mixed(images: Tensor, share: float) -> Tensor:
    """Return every picture blended with its counterpart from the batch's other end, as timm does.

    Args:
        images: [b, ...].
        share: of the picture itself, 0 to 1; 1 leaves it alone.
    """
    return images if share == 1 else share * images + (1 - share) * images.flip(0)


def label_loss(said: Tensor, labels: Tensor, smoothing: float, share: float = 1.0) -> Tensor:
    """Cross-entropy to labels mixed as `mixed` mixes pictures, each smoothed; a mean over b.

    Args:
        said: [b, classes].
        labels: int64 [b].
        smoothing: share of a label spread over all classes.
        share: of the picture's own label.
    """
    own = F.cross_entropy(said, labels, label_smoothing=smoothing)
    if share == 1:
        return own
    other = F.cross_entropy(said, labels.flip(0), label_smoothing=smoothing)
    return share * own + (1 - share) * other
