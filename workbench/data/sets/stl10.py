"""STL-10 from a local copy: torchvision's folder of plain binary files."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from workbench.data.sets.dataset import Dataset, Pictures, Where, found, resized
from workbench.errors import BadInput
from workbench.params import Knob

FOLDER, SIDE = "stl10_binary", 96
CLASSES = (
    "airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Stl10(Dataset):
    """5,000 labelled pictures for training, 8,000 for testing, 96 x 96 px, and 100,000 without.

    Coates, Ng and Lee, An Analysis of Single-Layer Networks in Unsupervised Feature Learning
    (2011). `path` is the `root` of `torchvision.datasets.STL10`, or `stl10_binary` itself.
    `unlabelled` trains on the 100,000; decoded they take 2.8 GB.
    """

    gives: ClassVar[tuple[str, ...]] = ("images", "labelled")
    side: ClassVar[int] = SIDE
    licence: ClassVar[str] = "not stated by its authors"

    path: Where = ""
    unlabelled: Annotated[bool, Knob("train on the pictures without labels")] = False

    def there(self) -> None:
        """See `Dataset.there`."""
        found(self.path, [f"{FOLDER}/train_X.bin", "train_X.bin"], "STL10")

    def load(self, size: int, *, train: bool = True) -> Pictures:
        """See `Dataset.load`."""
        part = "unlabeled" if train and self.unlabelled else "train" if train else "test"
        place = found(self.path, [f"{FOLDER}/{part}_X.bin", f"{part}_X.bin"], "STL10")
        raw = np.fromfile(place, np.uint8)
        if not raw.size or raw.size % (3 * SIDE * SIDE):
            raise BadInput(f"{place} has {raw.size} bytes, no whole pictures; fetch it again.")
        images = np.ascontiguousarray(raw.reshape(-1, 3, SIDE, SIDE).transpose(0, 3, 2, 1))
        labels = None
        if part != "unlabeled":
            labels = np.fromfile(place.with_name(f"{part}_y.bin"), np.uint8).astype(np.int64) - 1
            if len(labels) != len(images):
                raise BadInput(f"{place} has {len(images)} pictures and {len(labels)} labels.")
        return Pictures(resized(images, size), labels, CLASSES)
