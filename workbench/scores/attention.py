"""How much a model's tokens attend to each patch."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput
from workbench.masks import Grid
from workbench.params import Knob
from workbench.scores.context import Context
from workbench.scores.looking import onto, tap_of
from workbench.scores.score import Images, Score

ASKED_BY = ("class", "patches")


@dataclass(frozen=True, kw_only=True)
class Attention(Score):
    """Attention to each patch in one block of the encoder, which sees the whole picture.

    Mean over the heads of what the class token, or all patches on average, give to the patch; with
    what goes to the class token it sums to 1.
    """

    wants: ClassVar[tuple[str, ...]] = ("model",)

    asked_by: Annotated[str, Knob("whose attention", choices=ASKED_BY)] = "class"
    block: Annotated[int, Knob("block of the encoder, -1 = the last", -512, 511, 1, None, 11)] = -1

    def maps(self, images: Images, grid: Grid, context: Context) -> NDArray[np.floating[Any]]:
        """Run the encoder and read one block's map."""
        from workbench.models.taps import quietly

        tap = tap_of(context)
        if self.asked_by == "class" and not tap.encoder.shape.class_token:
            raise BadInput(
                "attention: the model has no class token that could attend; "
                'take attention(asked_by="patches").'
            )
        with quietly(tap.work(len(images))):
            maps = tap.see(tap.patches(images), self.block).attention
            rows = maps[:, :, :1] if self.asked_by == "class" else maps[:, :, tap.prefix :]
            given = rows[..., tap.prefix :].double().mean(dim=(1, 2)).cpu().numpy()
        return onto(given.reshape(-1, tap.grid.rows, tap.grid.cols), grid)
