"""Pictures of which only the highest, or the lowest, pixels of an attribution are left."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np

from workbench.data.sets.dataset import Dataset, Pictures
from workbench.errors import BadInput
from workbench.params import Knob

PARTS = ("images", "labels", "ranks")


@dataclass(frozen=True, kw_only=True)
class Kept(Dataset):
    """What `retrain` wrote: pictures, classes, and the rank of each pixel in its map.

    Pixels that go become the mean colour of all training pictures, in training and in testing.
    DiffROAR of Shah, Jain, Netrapalli, NeurIPS 2021; official file `scripts/saliency_utils.py` of
    harshays/inputgradients.
    """

    gives: ClassVar[tuple[str, ...]] = ("images", "labelled")
    licence: ClassVar[str] = "that of the pictures in it"

    path: Annotated[str, Knob("the .npz file that `retrain` wrote")] = ""
    keep: Annotated[str, Knob("top, bottom or all pixels of each map")] = "top"
    share: Annotated[float, Knob("share of the pixels that stays", 0.01, 1, 0.05)] = 0.5

    def load(self, size: int, *, train: bool = True) -> Pictures:
        """See `Dataset.load`; `size` must be that of the pictures in the file."""
        if self.keep not in ("top", "bottom", "all"):
            raise BadInput(f"keep is {self.keep!r}, wanted top, bottom or all.")
        part = "train" if train else "test"
        try:
            with np.load(Path(self.path).expanduser(), allow_pickle=False) as file:
                found: list[Any] = [file[f"{name}_{part}"] for name in PARTS]
                mean, classes = file["mean"], tuple(map(str, file["classes"]))
        except (OSError, ValueError, KeyError) as error:
            raise BadInput(
                f"{self.path or 'path'} holds no ranked pictures ({error}); make them with "
                "`python -m workbench retrain start RUN`."
            ) from None
        images, labels, ranks = found
        if images.shape[1:3] != (size, size):
            raise BadInput(f"{self.path} holds {images.shape[1]} px, not {size}; set size to that.")
        left = np.floor(self.share * size * size + 0.5)
        stays = ranks < left if self.keep == "top" else ranks >= size * size - left
        if self.keep != "all":
            images = np.where(stays[..., None], images, mean).astype(np.uint8)
        return Pictures(images, labels.astype(np.int64), classes)
