"""A map drawn by lot: what every explanation has to beat."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from workbench.explain.methods.method import Asked, Method, Search, Step


@dataclass(frozen=True, kw_only=True)
class Random(Method):
    """Independent uniform numbers, a cell each."""

    paper: ClassVar[str] = "arXiv:1806.10758"

    def search(self, asked: Asked) -> Search:
        """See `Method.search`."""
        yield Step(1, 1)
        return np.random.default_rng(asked.seed).random(asked.grid.shape, dtype=np.float32)
