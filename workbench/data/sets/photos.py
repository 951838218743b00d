"""Crops of the photos that ship inside scikit-image and scikit-learn: no download, no classes."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from workbench.data.images import fit
from workbench.data.samples import held_out, photo
from workbench.data.sets.dataset import Dataset, Pictures
from workbench.params import Knob
from workbench.seeds import Noise

CROP_SEED = 0x9017


@dataclass(frozen=True, kw_only=True)
class Photos(Dataset):
    """Square crops of a third to all of a photo's shorter side, at places that a fixed seed chose.

    To try a run on real pictures, not to compare: there are 18 photos. Every fifth crop is for
    testing; it comes from the same photos.
    """

    licence: ClassVar[str] = "each photo its own; see the app"

    crops: Annotated[int, Knob("crops in all", 10, 100_000, 100, None, 10_000)] = 1000

    def load(self, size: int, *, train: bool = True) -> Pictures:
        """See `Dataset.load`."""
        names = [info.name for info in held_out()]
        mine = [i for i in range(self.crops) if (i % 5 == 4) != train]
        u = Noise(CROP_SEED, 0, 0, self.crops).uniform(3)
        images = np.empty((len(mine), size, size, 3), np.uint8)
        for at, i in enumerate(mine):
            pixels = photo(names[i % len(names)])
            h, w = pixels.shape[:2]
            side = max(1, round(min(h, w) * (1 / 3 + 2 / 3 * u[i, 0])))
            y, x = int(u[i, 1] * (h - side + 1)), int(u[i, 2] * (w - side + 1))
            images[at] = fit(pixels[y : y + side, x : x + side], size, size)
        return Pictures(images, names=[f"{names[i % len(names)]}#{i}" for i in mine])
