"""A folder of pictures with depth and labels in files of equal names."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.data.images import fit, open_image
from workbench.data.maps import read_map, squared
from workbench.data.matched import named_folder, together
from workbench.data.sets.dataset import Dataset, Pictures, drawn_side, split
from workbench.errors import BadInput
from workbench.params import Knob

UNKNOWN = 255


@dataclass(frozen=True, kw_only=True)
class FolderOfModalities(Dataset):
    """Subfolders `rgb` and `depth`, and `labels` where there is one, with files of equal names.

    Depth is a grey PNG of 8 or 16 bits or an .npy; it is scaled to 0 to 1 by the least and largest
    value of the set, 0 and what is no number in a PNG or .npy is unknown. Labels are a PNG of 8
    bits, one number a class from 0 on; 255 is unknown. Every fifth scene is for testing.
    """

    gives: ClassVar[tuple[str, ...]] = ("modalities",)

    path: Annotated[str, Knob("the folder")] = ""
    classes: Annotated[int, Knob("classes of the labels; 0 to count them", 0, 254, 1)] = 0

    def load(self, size: int, *, train: bool = True) -> Pictures:
        """See `Dataset.load`."""
        root, side = named_folder(self.path, self.name), drawn_side(size)
        parts = ["rgb", "depth", *(["labels"] if (root / "labels").is_dir() else [])]
        names, files = together(root, parts, (".png", ".jpg", ".jpeg", ".webp", ".npy"))
        images = np.empty((len(names), side, side, 3), np.uint8)
        depth = np.empty((len(names), side, side), np.float32)
        labels = np.empty((len(names), side, side), np.uint8)
        for i, row in enumerate(files):
            images[i] = fit(open_image(row[0], name=names[i]).pixels, side, side)
            depth[i] = squared(_depth(row[1]), side)
            if len(parts) > 2:
                labels[i] = squared(read_map(row[2]), side)
        low, high = np.nanmin(depth), np.nanmax(depth)
        if not high > low:
            raise BadInput(f"{root}: all depths are {low:.4g}, wanted maps that differ somewhere.")
        extra: dict[str, NDArray[np.generic]] = {"depth": (depth - low) / (high - low)}
        told: tuple[str, ...] = ()
        if len(parts) > 2:
            extra["labels"] = labels
            known = labels[labels != UNKNOWN]
            told = tuple(str(k) for k in range(self.classes or int(known.max(initial=0)) + 1))
        return split(Pictures(images, None, told, names, (), extra), train)


def _depth(path: Path) -> NDArray[np.float32]:
    values = read_map(path).astype(np.float32)
    return np.where(np.isfinite(values) & (values != 0), values, np.nan).astype(np.float32)
