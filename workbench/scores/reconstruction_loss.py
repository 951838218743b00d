"""How badly a model fills in each patch, over random masks."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.masks import Grid
from workbench.params import Knob
from workbench.scores.context import Context
from workbench.scores.looking import hidden_errors, onto, reconstructor_of
from workbench.scores.score import Images, Score


@dataclass(frozen=True, kw_only=True)
class ReconstructionLoss(Score):
    """Mean squared error of a patch in [0, 1] RGB, over the masks that hid it.

    Masks hide `ratio` of the patches and are drawn so that each patch is hidden equally often in a
    round; more rounds make the map steadier.
    """

    wants: ClassVar[tuple[str, ...]] = ("model",)

    ratio: Annotated[float, Knob("share hidden by each mask", 0.05, 0.95, 0.05)] = 0.75
    rounds: Annotated[int, Knob("rounds of masks", 1, 32, 1)] = 4

    def maps(self, images: Images, grid: Grid, context: Context) -> NDArray[np.floating[Any]]:
        """Reconstruct under every mask, average where hidden."""
        model = reconstructor_of(context, self.name)
        found = [
            hidden_errors(model, image, self.ratio, self.rounds, context.seed) for image in images
        ]
        return onto(np.stack(found), grid)
