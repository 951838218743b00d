"""How much the score falls without a sliding window."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from workbench.errors import BadInput
from workbench.explain.methods.method import Asked, Method, Search
from workbench.params import Knob


@dataclass(frozen=True, kw_only=True)
class Occlusion(Method):
    """score(x) - score(x without the window); a cell gets the mean over the windows that hold it.

    Zeiler and Fergus. Window and stride are counted in cells, so that tokens can be dropped too.
    """

    paper: ClassVar[str] = "arXiv:1311.2901"
    removes: ClassVar[bool] = True
    always_print: ClassVar[tuple[str, ...]] = ("window",)

    window: Annotated[int, Knob("side of the window in cells", 1, 64, 1, None, 6)] = 3
    stride: Annotated[int, Knob("cells from one window to the next", 1, 64, 1, None, 6)] = 1

    def search(self, asked: Asked) -> Search:
        """See `Method.search`."""
        rows, cols = asked.grid.rows, asked.grid.cols
        if self.window >= max(rows, cols):
            raise BadInput(
                f"occlusion: the window is {self.window} cells, the picture {rows} x {cols}; take "
                "a smaller window."
            )
        tops, lefts = (_starts(side, self.window, self.stride) for side in (rows, cols))
        windows = np.zeros((len(tops) * len(lefts), rows, cols), bool)
        for at, window in enumerate(windows):
            top, left = tops[at // len(lefts)], lefts[at % len(lefts)]
            window[top : top + self.window, left : left + self.window] = True
        falls = yield from asked.falls(windows)
        held = windows.sum(0)
        return (np.tensordot(falls, windows, 1) / np.maximum(held, 1)).astype(np.float32)


def _starts(side: int, window: int, stride: int) -> list[int]:
    """Where windows begin; the last one ends with the picture, as captum's does."""
    if window >= side:
        return [0]
    last = side - window
    return [*range(0, last, stride), last]
