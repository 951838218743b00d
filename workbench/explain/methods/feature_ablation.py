"""How much the score falls without each cell."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from workbench.explain.methods.method import Asked, Method, Search, of_the_shape


@dataclass(frozen=True, kw_only=True)
class FeatureAblation(Method):
    """score(x) - score(x without the cell), cell by cell; captum's with any removal operator."""

    paper: ClassVar[str] = "arXiv:1311.2901"
    removes: ClassVar[bool] = True

    def search(self, asked: Asked) -> Search:
        """See `Method.search`."""
        n = asked.grid.size
        one_by_one = np.eye(n, dtype=bool).reshape(n, *asked.grid.shape)
        falls = yield from asked.falls(one_by_one)
        return of_the_shape(falls, asked.grid)
