"""Predict the colours of hidden patches from a full-length input with mask tokens (SimMIM)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from torch import Tensor, nn

from workbench.masks import Mask
from workbench.models.initial import initialise
from workbench.models.patches import normalise, patchify
from workbench.models.token_encoder import TokenEncoder, mean_where
from workbench.models.transformer import gather_tokens
from workbench.objectives.objective import Batch, EncoderShape, Loss, Objective, flags, indices
from workbench.objectives.pictures import pasted
from workbench.objectives.sized import cifar10


@dataclass(frozen=True, kw_only=True)
class Simmim(Objective):
    """Replace hidden patches by one learnt token; absolute error of raw colours on those alone.

    L = sum |x - said| * m / (sum m) / 3 over the pixels of ImageNet-normalised RGB. The head is one
    linear layer on each token, dim * patch * patch * 3 weights, which is the official 1 x 1
    convolution and pixel shuffle.

    Xie et al., SimMIM; official file `models/simmim.py`.
    """

    paper: ClassVar[str] = "arXiv:2111.09886"
    default_mask: ClassVar[str] = "units(ratio=0.6, unit=2)"
    equal_counts: ClassVar[bool] = False
    norm_pix: ClassVar[bool] = False  # what a run's card says of its pixels
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = cifar10("simmim", 1500, 40_000)

    def build(self, shape: EncoderShape, seed: int) -> TokenEncoder:
        """A ViT with a mask token and a linear head to the pixels of a patch."""
        model = TokenEncoder(shape.vit, shape.patch**2 * 3)
        initialise(model, seed)
        return model

    def loss(self, model: nn.Module, batch: Batch, mask: Mask, step: int, progress: float) -> Loss:
        """Mean absolute error over hidden pixels."""
        network = cast(TokenEncoder, model)
        patches = patchify(normalise(batch.images), network.encoder.shape.patch)
        counts = mask.counts
        if counts.min() == counts.max() > 0:
            visible, hidden = indices(mask, patches)
            said = network.of_hidden(patches, visible, hidden)
            return Loss((said.float() - gather_tokens(patches, hidden)).abs().mean())
        error = (network(patches, flags(mask, patches)).float() - patches).abs().mean(-1)
        return Loss(mean_where(error, flags(mask, error)))

    def predictions(self, model: nn.Module, batch: Batch, mask: Mask) -> Tensor:
        """What is said of every patch, [b, n, patch * patch * 3]."""
        return self._said(model, batch, mask)

    def picture(self, model: nn.Module, batch: Batch, mask: Mask) -> dict[str, Tensor]:
        """The picture, what the encoder saw, and the paste-back."""
        shape = cast(TokenEncoder, model).encoder.shape
        said = self._said(model, batch, mask)
        return pasted(batch.images, shape, flags(mask, said), said)

    def _said(self, model: nn.Module, batch: Batch, mask: Mask) -> Tensor:
        patches = patchify(normalise(batch.images), cast(TokenEncoder, model).encoder.shape.patch)
        return model(patches, flags(mask, patches))
