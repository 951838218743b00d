"""How much each visible patch moves a model's loss."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.masks import Grid
from workbench.params import Knob
from workbench.scores.context import Context
from workbench.scores.looking import loss_rounds, onto, tap_of
from workbench.scores.score import Images, Score


@dataclass(frozen=True, kw_only=True)
class Gradient(Score):
    """Mean absolute gradient of the training loss by a patch's pixels, where the patch is seen.

    The loss is that of random masks, every patch being seen in each round; targets carry no
    gradient, so the map tells what the model uses, not what it must predict. Unit: loss for a
    change of one in the model's normalised pixel space.
    """

    wants: ClassVar[tuple[str, ...]] = ("model",)

    ratio: Annotated[float, Knob("share hidden by each mask", 0.05, 0.95, 0.05)] = 0.75
    rounds: Annotated[int, Knob("rounds of masks", 1, 16, 1)] = 2

    def maps(self, images: Images, grid: Grid, context: Context) -> NDArray[np.floating[Any]]:
        """Differentiate each picture's loss by its patches."""
        own = tap_of(context).grid
        found: list[NDArray[np.float64]] = []
        for image in images:
            total, times = np.zeros(own.size), np.zeros(own.size)
            for seen in loss_rounds(image, self.ratio, self.rounds, context):
                by_pixel = np.abs(seen.gradient(seen.patches)).mean(axis=2)
                total += (by_pixel * ~seen.hidden).sum(axis=0)
                times += (~seen.hidden).sum(axis=0)
            found.append(total / times)
        return onto(np.stack(found).reshape(-1, own.rows, own.cols), grid)
