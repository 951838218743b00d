"""The hidden picture itself, blurred: what is behind stays guessable."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.fills.fill import Bools, Fill, Images
from workbench.params import Knob


@dataclass(frozen=True, kw_only=True)
class Blur(Fill):
    """Show a Gaussian blur of the original, hidden pixels included.

    The blurred content comes from the hidden pixels: a model that is given this fill sees coarse
    colours of what it should guess. Nothing hidden gets into visible pixels.
    """

    sees_hidden: ClassVar[bool] = True
    fixed: ClassVar[bool] = True

    sigma: Annotated[
        float, Knob("standard deviation of the blur, in pixels", 0, 256, 0.5, soft_maximum=32)
    ] = 8.0

    def paint(self, images: Images, hidden: Bools, seed: int) -> NDArray[np.floating[Any]]:
        """Return the blurred images; the border pixel continues beyond the border."""
        import cv2

        if self.sigma == 0:
            return images
        planes = images.reshape(-1, *images.shape[2:])
        border = cv2.BORDER_REPLICATE
        done = [
            cv2.GaussianBlur(p, (0, 0), self.sigma, sigmaY=self.sigma, borderType=border)
            for p in planes
        ]
        return np.stack(done).reshape(images.shape)
