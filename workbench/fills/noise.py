"""Random colours, one a pixel."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.fills.fill import Bools, Fill, Images
from workbench.seeds import Noise as Stateless


@dataclass(frozen=True, kw_only=True)
class Noise(Fill):
    """Show independent values, uniform in [0, 1); the same seed shows the same noise."""

    def paint(self, images: Images, hidden: Bools, seed: int) -> NDArray[np.floating[Any]]:
        """Return noise keyed by (seed, image, channel and pixel)."""
        size = images[0].size
        return Stateless(seed, count=len(images)).uniform(size).reshape(images.shape)
