"""Hide tubes from the encoder and give the decoder running cells (VideoMAE V2's dual masking)."""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Annotated, ClassVar

import numpy as np

from workbench.masks.lattice import Grid
from workbench.masks.ranking import hide_lowest
from workbench.masks.strategy import Counts, Drawn, Maps, Ratio, Strategy
from workbench.params import Knob
from workbench.seeds import Noise

PHASE_STREAM = 1


@dataclass(frozen=True, kw_only=True)
class RunningCells(Strategy):
    """Hide tubes from the encoder; `Mask.targets` are the positions that the decoder gets.

    The encoder's mask is that of `tubes`: floor(ratio * n + 0.5) of n patches, the same in all
    frames. The decoder skips the share `decoder_ratio` of every 2 x 2 cell, in quarters; which of
    the four moves on by one each frame, so that every patch is decoded equally often in four
    frames. The seed chooses one of four phases. The loss stands on positions that are hidden and
    decoded; the others that are decoded enter the decoder twice, as in the official code. With
    `decoder_ratio=0` the decoder gets every hidden position.

    Cells are cut at the lower and right edge; the official code drops the last odd row and column.

    Wang et al., VideoMAE V2; official files `dataset/masking_generator.py`,
    `engine_for_pretraining.py` (there 1 in the decoder's map means skipped).
    """

    paper: ClassVar[str] = "arXiv:2303.16727"
    counts: ClassVar[Counts] = "units"
    frames: ClassVar[str] = "time"

    ratio: Ratio = 0.9
    decoder_ratio: Annotated[
        float, Knob("share of positions that the decoder skips", 0, 0.75, 0.25)
    ] = 0.5

    def draw(self, grid: Grid, noise: Noise, maps: Maps) -> Drawn:
        """Draw tubes, then let the cells run over the frames."""
        plane, frames = replace(grid, frames=None), grid.frames or 1
        tubes = hide_lowest(noise.bits(plane.size), plane.count(self.ratio))
        hidden = tubes[:, None].repeat(frames, axis=1).reshape(-1, *grid.shape)
        skipped = int(Fraction(repr(self.decoder_ratio)) * 4 + Fraction(1, 2))
        if not skipped:
            return hidden, hidden[:, None]
        phase = (noise.bits(1, PHASE_STREAM) >> np.uint32(30)).astype(np.int64)
        time = np.arange(frames) + phase
        cell = 2 * (np.arange(grid.rows)[:, None] % 2) + np.arange(grid.cols) % 2
        decoded = (cell + time[..., None, None]) % 4 >= skipped
        return hidden, decoded.reshape(-1, 1, *grid.shape)
