"""The patch in shades of grey."""

from dataclasses import dataclass

from torch import Tensor

from workbench.models.patches import patchify
from workbench.objectives.targets.target import Target

LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True, kw_only=True)
class Gray(Target):
    """Luma of every pixel (ITU-R BT.601), moved from [0, 1] to [-1, 1]."""

    def width(self, patch: int) -> int:
        """One number a pixel."""
        return patch**2

    def __call__(self, images: Tensor, patch: int) -> Tensor:
        """See `Target`."""
        weights = images.new_tensor(LUMA).view(1, 3, 1, 1)
        return patchify(2 * (images * weights).sum(1, keepdim=True) - 1, patch)
