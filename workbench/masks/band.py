"""Hide one band of consecutive rows: the frequency masks of speech models (TERA)."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, ClassVar

import numpy as np

from workbench.masks.lattice import Grid
from workbench.masks.strategy import Counts, Drawn, Maps, Strategy
from workbench.params import Knob
from workbench.seeds import Noise


@dataclass(frozen=True, kw_only=True)
class Band(Strategy):
    """Hide a band of 0 to floor(share * rows) rows, every width and every place equally likely.

    A spectrogram is a picture of one channel, rows = frequency and columns = time (any image grid).
    No ratio: the count is free, on average half of `share`. Together with `time_span` it is the
    union of the two masks.

    Liu et al., TERA; official file `s3prl/pretrain/mockingjay/task.py`, whose last possible start
    is one too early, so that the last row is never hidden; here every row can be.
    """

    paper: ClassVar[str] = "arXiv:2007.06028"
    counts: ClassVar[Counts] = "free"
    always_print: ClassVar[tuple[str, ...]] = ("share",)

    share: Annotated[float, Knob("widest band, as a share of the rows", 0, 1, 0.05)] = 0.2

    def draw(self, grid: Grid, noise: Noise, maps: Maps) -> Drawn:
        """Choose a width, then a place for it."""
        widest = int(Fraction(repr(self.share)) * grid.rows)
        width, place = noise.uniform(2).T[..., None]
        width = np.floor(width * (widest + 1))
        top = np.floor(place * (grid.rows - width + 1))
        rows = np.arange(grid.rows)
        band = (rows >= top) & (rows < top + width)
        planes = band[:, None, :, None].repeat(grid.frames or 1, axis=1).repeat(grid.cols, axis=3)
        return planes.reshape(-1, *grid.shape)
