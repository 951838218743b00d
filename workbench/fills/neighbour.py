"""A guess from visible neighbours alone: smooth, inpainted, or copied."""

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from workbench.fills.fill import GREY, Bools, Fill, Images
from workbench.fills.interpolation import harmonic, nearest, telea
from workbench.params import Knob


@dataclass(frozen=True, kw_only=True)
class Neighbour(Fill):
    """Show an interpolation of the visible pixels; mid-grey where an image has none.

    "harmonic" solves Laplace's equation on the hidden pixels (each is the mean of its up to four
    neighbours), "telea" is OpenCV's fast marching inpainting (A. Telea, J. Graphics Tools 2004;
    8 bits a channel), "nearest" copies the nearest wholly visible square of `patch` pixels.
    """

    method: Annotated[
        str, Knob("how visible pixels are continued", choices=("harmonic", "telea", "nearest"))
    ] = "harmonic"
    patch: Annotated[
        int, Knob("side of the squares that nearest copies, in pixels", 1, 512, 1, soft_maximum=32)
    ] = 1

    def paint(self, images: Images, hidden: Bools, seed: int) -> NDArray[np.floating[Any]]:
        """Return each image with its hidden pixels continued."""
        out = np.full(images.shape, GREY, np.float32)
        for i, (image, covered) in enumerate(zip(images, hidden, strict=True)):
            if not covered.any():
                out[i] = image
            elif covered.all():
                continue
            elif self.method == "harmonic":
                out[i] = harmonic(image, covered)
            elif self.method == "telea":
                out[i] = telea(image, covered)
            else:
                out[i] = nearest(image, covered, self.patch)
        return out
