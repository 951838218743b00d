"""Predict the pixels of hidden patches from the visible ones (MAE)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from torch import Tensor, nn

from workbench.masks import Mask
from workbench.models.mae import MaskedAutoencoder
from workbench.models.patches import normalise, patchify
from workbench.models.targets import hidden_loss, patch_targets
from workbench.models.transformer import gather_tokens
from workbench.objectives.decoding import Decoding, Depth
from workbench.objectives.objective import Batch, EncoderShape, Loss, Objective, indices


@dataclass(frozen=True, kw_only=True)
class Mae(Decoding, Objective):
    """Encode the visible patches, decode the hidden ones, mean squared error on those alone.

    He et al., Masked Autoencoders Are Scalable Vision Learners; official file `models_mae.py`
    (`forward_loss`). With `norm_pix` each target patch is normalised by its own mean and variance.
    The decoder is smaller by default, for small pictures: width 128, 4 blocks and 4 heads; the
    official one has 512, 8 and 16.
    """

    paper: ClassVar[str] = "arXiv:2111.06377"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "digits_mae_tiny": {
            "data": "digits()", "size": 8, "patch": 2, "dim": 64, "depth": 4, "heads": 4,
            "objective": "mae(decoder_dim=48, decoder_depth=1)", "batch": 128, "steps": 400,
            "warmup": 20, "crop": 1.0, "flip": False,
        },
        "cifar10_mae_tiny": {
            "data": "cifar10()", "size": 32, "patch": 4, "dim": 192, "depth": 6, "heads": 3,
            "objective": "mae(decoder_dim=128, decoder_depth=2)", "batch": 128, "steps": 4000,
            "warmup": 200, "optimiser": "muon",
        },
        "cifar10_mae_hour": {
            "data": "cifar10()", "size": 32, "patch": 4, "dim": 192, "depth": 12, "heads": 3,
            "objective": "mae(decoder_dim=128, decoder_depth=4)", "batch": 512, "steps": 78000,
            "warmup": 2000, "optimiser": "muon", "save_every": 1000,
        },
    }  # fmt: skip

    decoder_depth: Depth = 4

    def build(self, shape: EncoderShape, seed: int) -> MaskedAutoencoder:
        """A ViT over visible patches and a small decoder over all of them."""
        model = self.autoencoder(shape)
        model.initialise(seed)
        return model

    def loss(self, model: nn.Module, batch: Batch, mask: Mask, step: int, progress: float) -> Loss:
        """What visible patches look like in the target does not enter."""
        mae = cast(MaskedAutoencoder, model)
        visible, hidden = indices(mask, batch.images)
        return Loss(mae_loss(mae, normalise(batch.images), visible, hidden, self.norm_pix))


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
