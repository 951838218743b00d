"""CIFAR-10 from a local copy: torchvision's folder, or packs of encoded pictures."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from workbench.data import labelled
from workbench.data.sets.dataset import Dataset, Pictures, Skip, Where, found, resized
from workbench.data.sets.packs import read_pack

FOLDER = labelled.BATCHES
PACKS = {True: "cifar10_train_jpeg.npz", False: "cifar10_test_a_jpeg.npz"}


@dataclass(frozen=True, kw_only=True)
class Cifar10(Dataset):
    """50,000 pictures for training and up to 10,000 for testing, 32 x 32 px, 10 classes.

    A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images (2009). `path` is the
    `root` of `torchvision.datasets.CIFAR10`, the folder of batches itself, or a folder with packs.
    Decoded it takes 154 MB.
    """

    gives: ClassVar[tuple[str, ...]] = ("images", "labelled")
    side: ClassVar[int] = 32
    licence: ClassVar[str] = "not stated by its authors"

    path: Where = ""
    skip: Skip = 100

    def load(self, size: int, *, train: bool = True) -> Pictures:
        """See `Dataset.load`."""
        place = self.place(train=train)
        if place.suffix == ".npz":
            return read_pack(place, size, self.skip)
        return _official(place.parent, size, train)

    def there(self) -> None:
        """See `Dataset.there`."""
        self.place(train=True)

    def place(self, *, train: bool) -> Path:
        """Where the local copy of a part is: a file of the official batches, or a pack.

        Raises:
            BadInput: there is none.
        """
        batch = "data_batch_1" if train else "test_batch"
        names = [f"{FOLDER}/{batch}", batch, PACKS[train], f"cifar10/{PACKS[train]}"]
        return found(self.path, names, "CIFAR-10")


def _official(folder: Path, size: int, train: bool) -> Pictures:
    whole = labelled.cifar10(folder, train=train)
    return Pictures(resized(whole.images, size), whole.labels, whole.classes)
