"""What stands out of a picture by its spectrum alone (spectral residual)."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.masks import Grid
from workbench.params import Knob
from workbench.scores.areas import grey, patch_means
from workbench.scores.context import Context
from workbench.scores.score import Images, Score


@dataclass(frozen=True, kw_only=True)
class Saliency(Score):
    """Spectral residual: the log spectrum less its own local mean, brought back and squared.

    The picture is brought to `side` pixels, the local mean is over 3 x 3 frequencies, the result is
    blurred (sigma 2.5 pixels) and divided by its mean, so 1 is average.

    Hou and Zhang, Saliency Detection: A Spectral Residual Approach (CVPR 2007).
    """

    paper: ClassVar[str] = "doi:10.1109/CVPR.2007.383267"

    side: Annotated[int, Knob("side in pixels at which the picture is looked at", 16, 512, 16)] = 64

    def maps(self, images: Images, grid: Grid, context: Context) -> NDArray[np.floating[Any]]:
        """Shrink, take the residual, blur, average over patches."""
        square = Grid(self.side, self.side, patch=1)
        spectrum = np.fft.fft2(patch_means(grey(images), square))
        size = np.log(np.abs(spectrum) + 1e-8)
        residual = size - _around(size) / 9
        back = np.abs(np.fft.ifft2(np.exp(residual + 1j * np.angle(spectrum)))) ** 2
        frequency = np.fft.fftfreq(self.side)
        blur = np.exp(-2 * (np.pi * 2.5) ** 2 * (frequency[:, None] ** 2 + frequency**2))
        soft = np.maximum(np.fft.ifft2(np.fft.fft2(back) * blur).real, 0)
        mean = soft.mean(axis=(1, 2), keepdims=True)
        return patch_means(soft / np.maximum(mean, 1e-12), grid)


def _around(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of the 3 x 3 neighbours of each value on a torus."""
    rows = values + np.roll(values, 1, axis=1) + np.roll(values, -1, axis=1)
    return rows + np.roll(rows, 1, axis=2) + np.roll(rows, -1, axis=2)
