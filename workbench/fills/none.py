"""Nothing: hidden pixels are transparent."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.fills.fill import Bools, Fill, Images


@dataclass(frozen=True, kw_only=True)
class Nothing(Fill):
    """Leave hidden pixels out; where a picture has no alpha channel they are zero."""

    transparent: ClassVar[bool] = True

    def paint(self, images: Images, hidden: Bools, seed: int) -> NDArray[np.floating[Any]]:
        """Return zero, so that nothing hidden stays behind the transparency."""
        return np.zeros((1, 1, 1, 1), np.float32)
