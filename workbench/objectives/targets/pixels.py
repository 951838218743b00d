"""The patch itself, by default normalised by its own mean and variance."""

from dataclasses import dataclass
from typing import Annotated

from torch import Tensor

from workbench.models.patches import normalise, patchify
from workbench.models.targets import patch_targets
from workbench.objectives.targets.target import Target
from workbench.params import Knob


@dataclass(frozen=True, kw_only=True)
class Pixels(Target):
    """ImageNet-normalised colours of every pixel, as MAE predicts them."""

    norm_pix: Annotated[bool, Knob("normalise each patch by its mean and variance")] = True

    def width(self, patch: int) -> int:
        """Three numbers a pixel."""
        return 3 * patch**2

    def __call__(self, images: Tensor, patch: int) -> Tensor:
        """See `Target`."""
        return patch_targets(patchify(normalise(images), patch), self.norm_pix)
