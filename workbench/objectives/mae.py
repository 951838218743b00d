"""Predict the pixels of hidden patches from the visible ones (MAE, arXiv:2111.06377)."""

from torch import Tensor

from workbench.models.mae import MaskedAutoencoder
from workbench.models.patches import patchify
from workbench.models.targets import hidden_loss, patch_targets
from workbench.models.transformer import gather_tokens


def mae_loss(
    model: MaskedAutoencoder, images: Tensor, visible: Tensor, hidden: Tensor, norm_pix: bool
) -> Tensor:
    """The loss of one step.

    Args:
        model: the masked autoencoder.
        images: [b, 3, h, w], ImageNet-normalised.
        visible: int64 [b, k].
        hidden: int64 [b, n - k].
        norm_pix: see `patch_targets`.

    Returns:
        Scalar; what visible patches look like in the target does not enter.
    """
    patches = patchify(images, model.shape.patch)
    target = patch_targets(gather_tokens(patches, hidden), norm_pix)
    return hidden_loss(model(patches, visible, hidden), target)
