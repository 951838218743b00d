"""Black."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.fills.fill import Bools, Fill, Images


@dataclass(frozen=True, kw_only=True)
class Black(Fill):
    """Show zero in all three channels."""

    fixed: ClassVar[bool] = True

    def paint(self, images: Images, hidden: Bools, seed: int) -> NDArray[np.floating[Any]]:
        """Return zero."""
        return np.zeros((1, 1, 1, 1), np.float32)
