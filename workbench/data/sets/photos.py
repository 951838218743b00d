"""Crops of the photos that ship inside scikit-image and scikit-learn, or of uploads: no classes."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.data import uploads
from workbench.data.images import fit, open_image
from workbench.data.samples import held_out, photo, photos
from workbench.data.sets.dataset import Dataset, Pictures
from workbench.errors import BadInput, shown
from workbench.params import Knob
from workbench.seeds import Noise

CROP_SEED = 0x9017


@dataclass(frozen=True, kw_only=True)
class Photos(Dataset):
    """Square crops of a third to all of a photo's shorter side, at places that a fixed seed chose.

    To try a run on real pictures, not to compare: there are 18 photos. Every fifth crop is for
    testing; it comes from the same photos. `of` names some of them, or pictures that were uploaded
    to the dashboard by their ids.
    """

    licence: ClassVar[str] = "each photo its own; see the app"

    crops: Annotated[int, Knob("crops in all", 10, 100_000, 100, None, 10_000)] = 1000
    of: Annotated[str, Knob("names of photos or uploads, with commas; empty for all photos")] = ""

    def load(self, size: int, *, train: bool = True) -> Pictures:
        """See `Dataset.load`."""
        given = [each.strip() for each in self.of.split(",") if each.strip()]
        names = given or [info.name for info in held_out()]
        pixels = {name: _opened(name) for name in dict.fromkeys(names)}
        mine = [i for i in range(self.crops) if (i % 5 == 4) != train]
        u = Noise(CROP_SEED, 0, 0, self.crops).uniform(3)
        images = np.empty((len(mine), size, size, 3), np.uint8)
        for at, i in enumerate(mine):
            whole = pixels[names[i % len(names)]]
            h, w = whole.shape[:2]
            side = max(1, round(min(h, w) * (1 / 3 + 2 / 3 * u[i, 0])))
            y, x = int(u[i, 1] * (h - side + 1)), int(u[i, 2] * (w - side + 1))
            images[at] = fit(whole[y : y + side, x : x + side], size, size)
        return Pictures(images, names=[f"{names[i % len(names)]}#{i}" for i in mine])


def _opened(name: str) -> NDArray[np.uint8]:
    if uploads.is_upload(name):
        return open_image(uploads.load(name)).pixels
    if all(info.name != name for info in photos()):
        raise BadInput(f"of names {shown(name)}, which is neither a bundled photo nor an upload.")
    return photo(name)
