"""Hide the lower half of the target picture, or blocks of it (Painter)."""

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import numpy as np

from workbench.masks.boxes import Rule, place
from workbench.masks.lattice import Grid
from workbench.masks.strategy import Counts, Drawn, Maps, Ratio, Strategy
from workbench.params import Knob
from workbench.seeds import Noise

DICE_STREAM = 2
RULE = Rule(16, 0.3, strict=False)  # rectangles of at least 16 patches, as the official recipe has


@dataclass(frozen=True, kw_only=True)
class TargetHalf(Strategy):
    """Hide in the target canvas only: its lower half, or `ratio` of its patches in blocks.

    Two pairs of one task stand above each other on two canvases. Frame 0 is the input canvas, never
    masked; the last frame is the target canvas; a grid without frames is the target alone. In the
    share `half` of the images the rows from rows // 2 on are hidden: the answer to the lower
    question, as when the model is used. In the others floor(ratio * n + 0.5) of the target's n
    patches are hidden in rectangles, as in `block`. The count is free: it depends on the choice.

    Wang et al., Painter; official files `Painter/data/pairdataset.py`, `Painter/models_painter.py`
    (56 x 28 patches, `half` 0.1 in training).
    """

    paper: ClassVar[str] = "arXiv:2212.02499"
    counts: ClassVar[Counts] = "free"
    frames: ClassVar[str] = "view"
    always_print: ClassVar[tuple[str, ...]] = ()

    half: Annotated[float, Knob("share of images that hide the lower half", 0, 1, 0.05)] = 1.0
    ratio: Ratio = 0.5

    def draw(self, grid: Grid, noise: Noise, maps: Maps) -> Drawn:
        """Hide half of the target or blocks, and nothing of the input."""
        canvas = replace(grid, frames=None)
        lower = np.zeros(canvas.shape, bool)
        lower[grid.rows // 2 :] = True
        hidden = np.zeros((noise.count, grid.frames or 1, *canvas.shape), bool)
        hidden[:, -1] = lower
        if self.half < 1:
            blocks = place(canvas, noise, canvas.count(self.ratio), RULE)
            halved = (noise.uniform(1, DICE_STREAM) < self.half).reshape(-1, 1, 1)
            hidden[:, -1] = np.where(halved, lower, blocks)
        return hidden.reshape(-1, *grid.shape)
