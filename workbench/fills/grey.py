"""One even grey."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.fills.fill import GREY, Bools, Fill, Images
from workbench.params import Knob


@dataclass(frozen=True, kw_only=True)
class Grey(Fill):
    """Show `level` in all three channels."""

    fixed: ClassVar[bool] = True

    level: Annotated[float, Knob("brightness of the grey", 0, 1, 0.05)] = GREY

    def paint(self, images: Images, hidden: Bools, seed: int) -> NDArray[np.floating[Any]]:
        """Return the level."""
        return np.full((1, 1, 1, 1), self.level, np.float32)
