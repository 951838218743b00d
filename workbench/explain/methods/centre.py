"""A bump in the middle: photographers put things there."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from workbench.explain.methods.method import Asked, Method, Search, Step
from workbench.params import Knob


@dataclass(frozen=True, kw_only=True)
class Centre(Method):
    """exp(-(distance from the centre)^2 / (2 width^2)), distances in half sides of the picture."""

    paper: ClassVar[str] = "arXiv:1912.01451"
    signed: ClassVar[bool] = False

    width: Annotated[float, Knob("width in half sides of the picture", 0.01, 10, 0.05, None, 2)] = (
        0.5
    )

    def search(self, asked: Asked) -> Search:
        """See `Method.search`."""
        rows, cols = (
            (np.arange(side) + 0.5) / side * 2 - 1 for side in (asked.grid.rows, asked.grid.cols)
        )
        yield Step(1, 1)
        away = rows[:, None] ** 2 + cols[None, :] ** 2
        return np.exp(-away / (2 * self.width**2)).astype(np.float32)
