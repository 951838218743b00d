"""Predict the pixels of hidden patches from the visible ones (MAE, arXiv:2111.06377)."""

from torch import Tensor

from workbench.models.mae import MaskedAutoencoder
from workbench.models.patches import patchify
from workbench.models.transformer import gather_tokens


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
    mean = patches.mean(-1, keepdim=True)
    return (patches - mean) / (patches.var(-1, keepdim=True) + 1e-6).sqrt()


def hidden_loss(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean squared error over hidden patches only: both [b, hidden, p], same order."""
    return (prediction.float() - target.float()).square().mean()


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
