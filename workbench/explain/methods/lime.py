"""A linear model of what the network says when segments come and go (LIME)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from workbench.explain.methods.coalitions import HANDFUL, Sums, answers, segments
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
        rng, sums = np.random.default_rng(asked.seed), Sums(n)
        for done in range(0, self.count, HANDFUL):
            there = rng.random((min(HANDFUL, self.count - done), n)) < 0.5
            there[: int(done == 0)] = True
            there[~there.any(1), 0] = True
            scores = yield from answers(asked, parts, there, done, self.count)
            far = 1 - np.sqrt(there.mean(1))  # cosine distance of a 0/1 row to the row of ones
            sums.add(there.astype(float), scores, np.exp(-((far / self.width) ** 2)))
        slopes, fit = _ridge(sums, self.ridge)
        asked.notes.update(fit=fit, segments=n)
        return slopes[parts].astype(np.float32)


def _ridge(sums: Sums, ridge: float) -> tuple[np.ndarray, float]:
    """Weighted ridge with an intercept that is not shrunk: slopes, R^2."""
    x, y = sums.x / sums.weight, sums.y / sums.weight
    spread = sums.xx - sums.weight * np.outer(x, x)
    along = sums.xy - sums.weight * x * y
    slopes = np.linalg.lstsq(spread + ridge * np.eye(len(x)), along, rcond=None)[0]
    total = sums.yy - sums.weight * y**2
    left = total - 2 * float(slopes @ along) + float(slopes @ spread @ slopes)
    return slopes, 1 - left / total if total > 0 else 1.0
