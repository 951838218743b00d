"""Fashion-MNIST from a local copy: torchvision's folder of IDX files, or one .npz."""

import gzip
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.data.sets.dataset import Dataset, Pictures, Where, found, resized
from workbench.errors import BadInput

CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
    "Ankle boot",
)  # fmt: skip
RAW = "FashionMNIST/raw"
PACK = "fashion_mnist_3000.npz"
LARGEST = 1 << 28


@dataclass(frozen=True, kw_only=True)
class FashionMnist(Dataset):
    """60,000 pictures for training and 10,000 for testing, 28 x 28 px, grey on three channels.

    Xiao et al.; `path` is the `root` of `torchvision.datasets.FashionMNIST`, its folder `raw`, or
    an .npz with x_train, y_train, x_test and y_test.
    """

    paper: ClassVar[str] = "arXiv:1708.07747"
    gives: ClassVar[tuple[str, ...]] = ("images", "labelled")
    side: ClassVar[int] = 28
    licence: ClassVar[str] = "MIT"

    path: Where = ""

    def there(self) -> None:
        """See `Dataset.there`."""
        self._place(train=True)

    def _place(self, *, train: bool) -> Path:
        file = f"{'train' if train else 't10k'}-images-idx3-ubyte"
        names = [f"{RAW}/{file}", file, f"{RAW}/{file}.gz", f"{file}.gz", PACK]
        return found(self.path, [*names, f"fashion_mnist/{PACK}"], "Fashion_MNIST")

    def load(self, size: int, *, train: bool = True) -> Pictures:
        """See `Dataset.load`."""
        place = self._place(train=train)
        if place.suffix == ".npz":
            images, labels = _pack(place, "train" if train else "test")
        else:
            images = _idx(place, 3)
            label_file = place.name.replace("images-idx3", "labels-idx1")
            labels = _idx(place.with_name(label_file), 1).astype(np.int64)
        if len(images) != len(labels):
            raise BadInput(f"{place} has {len(images)} pictures and {len(labels)} labels.")
        return Pictures(resized(np.repeat(images[..., None], 3, axis=3), size), labels, CLASSES)


def _pack(path: Path, part: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return np.asarray(file[f"x_{part}"], np.uint8), file[f"y_{part}"].astype(np.int64)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise BadInput(f"{path} cannot be read ({error}); fetch it again.") from None


def _idx(path: Path, axes: int) -> NDArray[np.uint8]:
    """Read one of LeCun's IDX files of bytes: a magic number, the sizes, the values."""
    try:
        raw = path.read_bytes()
        if path.suffix == ".gz":
            raw = gzip.decompress(raw)
        head = np.frombuffer(raw, ">u4", 1 + axes)
        sizes = tuple(int(each) for each in head[1:])
        if head[0] != 0x800 + axes or np.prod(sizes, dtype=object) > LARGEST:
            raise ValueError(f"a magic number of {int(head[0])} and sizes {sizes}")
        return np.frombuffer(raw, np.uint8, offset=4 * (1 + axes)).reshape(sizes)
    except (OSError, ValueError, EOFError, zlib.error) as error:
        raise BadInput(f"{path} is no IDX file that can be read ({error}).") from None
