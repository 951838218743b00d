"""Drawn scenes in many bands, as an instrument on a satellite would see their materials."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.data.scene_maps import CLASSES, kinds, nearness
from workbench.data.scenes_drawn import scene
from workbench.data.sets.dataset import Dataset, Pictures, drawn_seeds, drawn_side
from workbench.params import Knob
from workbench.seeds import Noise

SPECTRUM_SEED = 0xBA2D5
WAVES = 3
HAZE = 0.35


@dataclass(frozen=True, kw_only=True)
class DrawnBands(Dataset):
    """Pictures [n, h, w, bands]: a fixed smooth spectrum a material, its texture, and haze.

    The value in a band is the material's response there times the brightness of the drawn picture,
    and far things fade into a haze that is thick in the first bands and thin in the last. So no
    band is a copy of another, and each can be told from several others. Test scenes have seeds of
    their own.
    """

    gives: ClassVar[tuple[str, ...]] = ("bands",)
    licence: ClassVar[str] = "drawn by the workbench"

    count: Annotated[int, Knob("scenes for training", 10, 100_000, 100, None, 10_000)] = 1000
    bands: Annotated[int, Knob("bands", 2, 64, 1, None, 16)] = 6

    def load(self, size: int, *, train: bool = True) -> Pictures:
        """See `Dataset.load`."""
        seeds, side = drawn_seeds(self.count, train), drawn_side(size)
        images = np.empty((len(seeds), side, side, self.bands), np.uint8)
        spectra = responses(self.bands)
        haze = HAZE * np.linspace(1, 0.1, self.bands)
        for i, seed in enumerate(seeds):
            drawn = scene(seed, side)
            view = drawn.left
            bright = view.image.astype(np.float64).mean(2)[..., None] / 255
            surface = spectra[kinds(drawn, view)] * bright
            share = haze * (1 - nearness(view))[..., None]
            images[i] = np.clip((surface * (1 - share) + 0.8 * share) * 255 + 0.5, 0, 255)
        return Pictures(images, names=[f"scene {seed}" for seed in seeds])


def responses(bands: int) -> NDArray[np.float64]:
    """What each material reflects in each band, 0.2 to 1.2, float64 [materials, bands]."""
    u = Noise(SPECTRUM_SEED, 0, 0, len(CLASSES)).uniform(2 * WAVES)
    at = np.linspace(0, 1, bands)
    waves = np.arange(1, WAVES + 1)[:, None]
    phase = 2 * np.pi * u[:, :WAVES, None]
    curve = (u[:, WAVES:, None] / waves * np.cos(np.pi * waves * at + phase)).sum(1)
    return 0.7 + 0.5 * np.tanh(1.5 * curve)
