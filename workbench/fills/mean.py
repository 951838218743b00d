"""The mean colour of what is visible in the picture."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.fills.fill import GREY, Bools, Fill, Images


@dataclass(frozen=True, kw_only=True)
class Mean(Fill):
    """Show each image's mean over its visible pixels; mid-grey where nothing is visible."""

    def paint(self, images: Images, hidden: Bools, seed: int) -> NDArray[np.floating[Any]]:
        """Return one colour an image, [b, 3, 1, 1]."""
        shown = ~hidden
        counts = shown.sum(axis=(1, 2))[:, None]
        sums = np.einsum("bchw,bhw->bc", images, shown, dtype=np.float64)
        colour = np.where(counts > 0, sums / np.maximum(counts, 1), GREY)
        return colour[:, :, None, None]
