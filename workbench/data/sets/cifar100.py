"""CIFAR-100 from a local copy: torchvision's folder; its pickles hold arrays and nothing is run."""

from dataclasses import dataclass
from typing import ClassVar

from workbench.data import labelled
from workbench.data.sets.dataset import Dataset, Pictures, Where, found, resized

FOLDER = "cifar-100-python"


@dataclass(frozen=True, kw_only=True)
class Cifar100(Dataset):
    """50,000 pictures for training and 10,000 for testing, 32 x 32 px, 100 classes.

    A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images (2009). `path` is the
    `root` of `torchvision.datasets.CIFAR100`, or the folder `cifar-100-python` itself.
    """

    gives: ClassVar[tuple[str, ...]] = ("images", "labelled")
    side: ClassVar[int] = 32
    licence: ClassVar[str] = "not stated by its authors"

    path: Where = ""

    def there(self) -> None:
        """See `Dataset.there`."""
        found(self.path, [f"{FOLDER}/train", "train"], "CIFAR-100")

    def load(self, size: int, *, train: bool = True) -> Pictures:
        """See `Dataset.load`."""
        name = "train" if train else "test"
        place = found(self.path, [f"{FOLDER}/{name}", name], "CIFAR-100")
        images, labels = labelled.batch(place, "fine_labels", 100)
        return Pictures(resized(images, size), labels, tuple(str(i) for i in range(100)))
