"""Hide spans of consecutive columns: the time masks of speech models (TERA)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.masks.lattice import Grid, rounded
from workbench.masks.ranking import hide_lowest
from workbench.masks.strategy import Counts, Drawn, Maps, Ratio, Strategy
from workbench.params import Knob
from workbench.seeds import Noise

DICE_STREAM = 1


@dataclass(frozen=True, kw_only=True)
class TimeSpan(Strategy):
    """Hide floor(ratio * t + 0.5) of t columns, in spans of `span`, one of them shorter if need be.

    A spectrogram is a picture of one channel, rows = frequency and columns = time (any image grid);
    a waveform or a sentence is `Grid(1, t, patch=1, domain="sequence")`. Every arrangement of spans
    that do not overlap is equally likely; two may touch. The ratio is exact in units of a column.

    In the share `untouched` of the images (0.1 in TERA) nothing is hidden, but the chosen columns
    are to be predicted all the same: they stand in `Mask.targets`. TERA fills with zeros in 80% of
    its samples and with other columns in 10%, which is a matter of the fill.

    Liu et al., TERA; official file `s3prl/pretrain/mockingjay/task.py`, whose last possible start
    is one too early, so that the last column is never hidden; here every column can be.
    """

    paper: ClassVar[str] = "arXiv:2007.06028"
    counts: ClassVar[Counts] = "units"

    ratio: Ratio = 0.15
    span: Annotated[int, Knob("columns of a span", 1, 1 << 16, 1, soft_maximum=16)] = 7
    untouched: Annotated[
        float, Knob("share of images that hide nothing, but predict", 0, 1, 0.05)
    ] = 0.0

    @property
    def promise(self) -> Counts:
        """Free where some images hide nothing."""
        return "free" if self.untouched else "units"

    def draw(self, grid: Grid, noise: Noise, maps: Maps) -> Drawn:
        """Choose columns, then spare the images of the dice."""
        columns = self._columns(grid.cols, noise)
        planes = columns[:, None, None].repeat(grid.frames or 1, axis=1).repeat(grid.rows, axis=2)
        chosen = planes.reshape(-1, *grid.shape)
        if not self.untouched:
            return chosen
        spared = noise.uniform(1, DICE_STREAM) < self.untouched
        touched = ~spared.reshape(-1, *(1,) * len(grid.shape))
        return chosen & touched, chosen[:, None]

    def _columns(self, cols: int, noise: Noise) -> NDArray[np.bool_]:
        """Return the hidden columns, bool [images, cols].

        Spans shrunk to one slot each stand among the visible columns; unfolding them gives each
        arrangement once.
        """
        count = rounded(self.ratio, cols)
        spans = -(-count // self.span)
        if spans == 0:
            return np.zeros((noise.count, cols), bool)
        slots = cols - count + spans
        bits = noise.bits(slots + 1)
        chosen = hide_lowest(bits[:, :slots], spans)
        order = np.cumsum(chosen, axis=1) - 1
        shorter = bits[:, slots:] % np.uint32(spans)
        length = np.where(chosen, self.span, 1)
        length -= np.where(chosen & (order == shorter), spans * self.span - count, 0)
        return chosen.ravel().repeat(length.ravel()).reshape(noise.count, cols)
