"""A linear model of what the network says when segments come and go (LIME)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from workbench.explain.methods.coalitions import answers, segments
from workbench.explain.methods.method import Asked, Method, Search
from workbench.params import Knob


@dataclass(frozen=True, kw_only=True)
class Lime(Method):
    """Ridge regression of scores on visible segments, near coalitions weighing more.

    Ribeiro et al.; as `lime_image.py`: every segment visible with 1/2, weights
    exp(-(cosine distance to the whole picture)^2 / width^2), a ridge of `ridge`. Notes hold `fit`,
    the weighted R^2: a poor fit means that the map is not to be believed.
    """

    paper: ClassVar[str] = "arXiv:1602.04938"
    removes: ClassVar[bool] = True

    count: Annotated[int, Knob("coalitions asked", 2, 100_000, 1, None, 2000)] = 500
    segments: Annotated[int, Knob("superpixels; 0 for every cell", 0, 1000, 1, None, 100)] = 0
    width: Annotated[float, Knob("width of the kernel", 0.01, 100, 0.05, None, 2)] = 0.25
    ridge: Annotated[float, Knob("weight of the ridge", 0, 1e6, 0.1, None, 10)] = 1.0

    def search(self, asked: Asked) -> Search:
        """See `Method.search`."""
        parts = segments(asked.image, asked.grid, self.segments)
        n = int(parts.max()) + 1
        there = np.random.default_rng(asked.seed).random((self.count, n)) < 0.5
        there[0] = True
        there[~there.any(1), 0] = True
        scores = yield from answers(asked, parts, there)
        far = 1 - np.sqrt(there.mean(1))  # cosine distance of a 0/1 row to the row of ones
        weights = np.exp(-((far / self.width) ** 2))
        slopes, fit = _ridge(there.astype(float), scores, weights, self.ridge)
        asked.notes.update(fit=fit, segments=n)
        return slopes[parts].astype(np.float32)


def _ridge(
    x: np.ndarray, y: np.ndarray, weights: np.ndarray, ridge: float
) -> tuple[np.ndarray, float]:
    """Weighted ridge with an intercept that is not shrunk: slopes, R^2."""
    share = weights / weights.sum()
    away, off = x - share @ x, y - share @ y
    left = (away * weights[:, None]).T @ away + ridge * np.eye(x.shape[1])
    slopes = np.linalg.lstsq(left, (away * weights[:, None]).T @ off, rcond=None)[0]
    total = float(share @ off**2)
    return slopes, 1 - float(share @ (off - away @ slopes) ** 2) / total if total > 0 else 1.0
