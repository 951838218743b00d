"""Small labelled data sets: scikit-learn's digits, and CIFAR-10 from a folder of the user's."""

import pickle
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.data.home import home
from workbench.errors import BadInput

BATCHES = "cifar-10-batches-py"
MAX_BATCH_BYTES = 64 * 2**20
CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
# All that the official files name; `_reconstruct` builds an array, the rest are its parts.
HARMLESS = re.compile(r"numpy(\._?core\.multiarray)?\.(_reconstruct|ndarray|dtype)|_codecs\.encode")


@dataclass(frozen=True)
class Labelled:
    """Pictures with classes: uint8 [n, h, w, 3], int64 [n], and the class names."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]


def digits() -> Labelled:
    """Return scikit-learn's 1,797 handwritten digits, 8 x 8 px, grey repeated over three channels.

    UCI Optical Recognition of Handwritten Digits (E. Alpaydin, C. Kaynak; CC BY 4.0), inside
    scikit-learn. Ink levels 0 to 16 become 0 to 255.
    """
    from sklearn.datasets import load_digits

    found: Any = load_digits()
    levels = np.asarray(found.images, dtype=np.float64)
    grey = np.floor(levels * (255 / 16) + 0.5).astype(np.uint8)
    return Labelled(
        np.repeat(grey[..., None], 3, axis=3),
        np.asarray(found.target, dtype=np.int64),
        tuple("0123456789"),
    )


def cifar10(folder: str | Path | None = None, *, train: bool = True) -> Labelled:
    """Return CIFAR-10 from the folder in which torchvision keeps it.

    Args:
        folder: the `root` given to `torchvision.datasets.CIFAR10`, or the folder
            `cifar-10-batches-py` itself; when None, `data` under WORKBENCH_HOME and `./data`.
        train: the 50,000 training pictures, else the 10,000 test pictures.

    Returns:
        uint8 [n, 32, 32, 3] with labels 0 to 9 (A. Krizhevsky, 2009).

    Raises:
        BadInput: no such folder, or files that hold anything but arrays and plain values. The
            files are pickles: nothing in them is ever run.
    """
    roots = [home() / "data", Path("data")] if folder is None else [Path(folder)]
    places = [place for root in roots for place in (root / BATCHES, root)]
    names = [f"data_batch_{i}" for i in range(1, 6)] if train else ["test_batch"]
    place = next((place for place in places if (place / names[0]).is_file()), None)
    if place is None:
        raise BadInput(
            f"CIFAR-10 is not in {roots[0]} (no {BATCHES}/{names[0]}); name the folder that holds "
            "it, or fetch it once with torchvision.datasets.CIFAR10(folder, download=True)"
        )
    parts = [_batch(place / name) for name in names]
    images = np.concatenate([part[0] for part in parts])
    return Labelled(images, np.concatenate([part[1] for part in parts]), CLASSES)


def _batch(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    return batch(path, "labels", len(CLASSES))


def batch(path: Path, key: str, classes: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Read one official file of CIFAR: pictures [n, 32, 32, 3] and the labels under `key`.

    Raises:
        BadInput: damaged, or it holds anything but arrays and plain values; nothing in it is run.
    """
    try:
        limit = MAX_BATCH_BYTES * (classes // 10)
        if path.stat().st_size > limit:
            raise pickle.UnpicklingError(f"larger than {limit // 2**20} MB")
        with path.open("rb") as file:
            found: Any = _ArraysOnly(file, encoding="latin1").load()
        flat, labels = np.asarray(found["data"]), np.asarray(found[key])
        if flat.dtype != np.uint8 or flat.shape != (len(labels), 3072):
            raise pickle.UnpicklingError(f"data of shape {flat.shape}, not (n, 3072) of uint8")
        if labels.dtype.kind != "i" or labels.min() < 0 or labels.max() >= classes:
            raise pickle.UnpicklingError(f"labels outside 0 to {classes - 1}")
    except Exception as error:  # a broken pickle may raise anything while it is read
        raise BadInput(
            f"{path} is no CIFAR-{classes} batch ({error}); fetch it again with "
            f"torchvision.datasets.CIFAR{classes}(folder, download=True)"
        ) from None
    images = flat.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), labels.astype(np.int64)


class _ArraysOnly(pickle.Unpickler):
    """Reads arrays and plain values; refuses to look up anything else, so that nothing runs."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if HARMLESS.fullmatch(f"{module_name}.{global_name}") is None:
            raise pickle.UnpicklingError(f"it asks for {module_name}.{global_name}")
        return super().find_class(module_name, global_name)
