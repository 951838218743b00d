"""The patch of the blurred picture: its low frequencies alone."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from workbench.models.patches import normalise, patchify
from workbench.objectives.targets.target import Target
from workbench.params import Knob


@dataclass(frozen=True, kw_only=True)
class LowPass(Target):
    """ImageNet-normalised colours after all frequencies above `cut` cycles a pixel are removed.

    The whole picture is transformed (FFT, so its borders meet); 0.5 is the highest frequency along
    a row, and a `cut` of 0.71 or more removes nothing.
    """

    pixels: ClassVar[bool] = True

    cut: Annotated[float, Knob("highest frequency kept, cycles a pixel", 0, 0.75, 0.01)] = 0.125

    def width(self, patch: int) -> int:
        """Three numbers a pixel."""
        return 3 * patch**2

    def __call__(self, images: Tensor, patch: int) -> Tensor:
        """See `Target`."""
        with torch.autocast(images.device.type, enabled=False):
            pictures = normalise(images.float())
            h, w = pictures.shape[2:]
            down = torch.fft.fftfreq(h, device=images.device).view(-1, 1)
            across = torch.fft.rfftfreq(w, device=images.device)
            kept = (down.square() + across.square()).sqrt() <= self.cut
            bins = torch.fft.rfft2(pictures) * kept
            return patchify(torch.fft.irfft2(bins, s=(h, w)), patch)
