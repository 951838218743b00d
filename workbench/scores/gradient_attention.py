"""Gradient times attention: what a model attends to and what that is worth."""

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
class GradientAttention(Score):
    """relu(gradient x attention), mean over heads and over the tokens that ask.

    The gradient is that of the model's success (minus the training loss of random masks) by the
    attention map of one block, so a high score marks a patch that is attended to and helps. Each
    patch is averaged over the masks that show it. GA-DMS does this per word with an image-text
    similarity; patches and the reconstruction loss stand in their place here. Blocks differ: in
    the bundled model the fourth from the end tells which patches help, the last one does not.
    """

    paper: ClassVar[str] = "arXiv:2509.09118"
    wants: ClassVar[tuple[str, ...]] = ("model",)

    ratio: Annotated[float, Knob("share hidden by each mask", 0.01, 0.99, 0.05)] = 0.75
    rounds: Annotated[int, Knob("rounds of masks", 1, 256, 1, None, 16)] = 2
    block: Annotated[int, Knob("block of the encoder, -1 = the last", -512, 511, 1, None, 11)] = -4

    def maps(self, images: Images, grid: Grid, context: Context) -> NDArray[np.floating[Any]]:
        """Differentiate by the map, gate, average."""
        found: list[NDArray[np.float64]] = []
        own = grid
        for image in images:
            depth = tap_of(context).encoder.shape.depth
            block = max(self.block, -depth)  # a model with fewer blocks answers with its first
            with loss_rounds(image, self.ratio, self.rounds, context, block) as seen:
                by_map = seen.gradient(seen.attention)
            own, maps = seen.tap.grid, seen.attention.detach().double().cpu().numpy()
            gated = np.maximum(-by_map * maps, 0)
            asked = gated.mean(axis=(1, 2))[:, seen.tap.prefix :]
            total = np.zeros(seen.hidden.shape)
            np.put_along_axis(total, seen.visible, asked, axis=1)
            found.append(total.sum(axis=0) / (~seen.hidden).sum(axis=0))
        return onto(np.stack(found).reshape(-1, own.rows, own.cols), grid)
