"""How steep the patch is at every pixel."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from workbench.models.patches import patchify
from workbench.objectives.targets.target import Target


@dataclass(frozen=True, kw_only=True)
class Edges(Target):
    """Length of Sobel's gradient of the mean colour, borders repeated; 0 where it is flat."""

    def width(self, patch: int) -> int:
        """One number a pixel."""
        return patch**2

    def __call__(self, images: Tensor, patch: int) -> Tensor:
        """See `Target`."""
        images = images.float()
        across = images.new_tensor([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
        kernels = (across, across.T)
        grey = F.pad(images.mean(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
        with torch.autocast(images.device.type, enabled=False):  # convolutions would be in bf16
            steep = [F.conv2d(grey, kernel.reshape(1, 1, 3, 3)) for kernel in kernels]
        return patchify((steep[0].square() + steep[1].square() + 1e-12).sqrt(), patch)
