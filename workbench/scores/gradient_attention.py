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

    ratio: Annotated[float, Knob("share hidden by each mask", 0.05, 0.95, 0.05)] = 0.75
    rounds: Annotated[int, Knob("rounds of masks", 1, 16, 1)] = 2
    block: Annotated[int, Knob("block of the encoder, -1 = the last", -512, 511, 1, None, 11)] = -4

    def maps(self, images: Images, grid: Grid, context: Context) -> NDArray[np.floating[Any]]:
        """Differentiate by the map, gate, average."""
        tap = tap_of(context)
        block = max(self.block, -tap.encoder.shape.depth)  # fewer blocks: the first one answers
        found: list[NDArray[np.float64]] = []
        for image in images:
            total, times = np.zeros(tap.grid.size), np.zeros(tap.grid.size)
            for seen in loss_rounds(image, self.ratio, self.rounds, context, block):
                maps = seen.attention.detach().double().cpu().numpy()
                gated = np.maximum(-seen.gradient(seen.attention) * maps, 0)
                asked = np.zeros(seen.hidden.shape)
                mean = gated.mean(axis=(1, 2))[:, tap.prefix :]
                np.put_along_axis(asked, seen.visible, mean, axis=1)
                total += asked.sum(axis=0)
                times += (~seen.hidden).sum(axis=0)
            found.append(total / times)
        return onto(np.stack(found).reshape(-1, tap.grid.rows, tap.grid.cols), grid)
