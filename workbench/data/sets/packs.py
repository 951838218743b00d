"""How a pack of encoded pictures is read."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from workbench.data.sets.dataset import Pictures, collect
from workbench.errors import BadInput


def read_pack(path: Path, side: int, limit: int) -> Pictures:
    """Decode every picture of a pack to `side` x `side`; no pickles are read.

    Raises:
        BadInput: missing, not a pack, a label without a class, or more than `limit` damaged
            pictures.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            parts: dict[str, Any] = {name: file[name] for name in file.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise BadInput(
            f"{path} is no pack that can be read ({error}); name an .npz file with the arrays blob "
            "and offsets"
        ) from None
    empty = np.zeros(0)
    blob, offsets = parts.get("blob", empty), parts.get("offsets", empty)
    good = blob.dtype == np.uint8
    good = good and offsets.dtype.kind in "iu" and offsets.ndim == blob.ndim == 1 < len(offsets)
    if not good or (np.diff(offsets.astype(np.int64)) < 0).any() or offsets[-1] > len(blob):
        raise BadInput(f"{path} holds {sorted(parts)}, wanted blob (uint8) and rising offsets")
    names = [str(name) for name in parts["names"]] if "names" in parts else []
    count = len(offsets) - 1

    def called(i: int) -> str:
        return names[i] if len(names) == count else f"{path.name}#{i}"

    images, kept, skipped = collect(
        count, lambda i: blob[offsets[i] : offsets[i + 1]].tobytes(), called, side, limit
    )
    labels = None
    classes = tuple(str(name) for name in parts.get("classes", ()))
    if len(parts.get("labels", ())) == count:
        labels = parts["labels"].astype(np.int64)
        most = int(labels.max())
        classes = classes or tuple(str(i) for i in range(most + 1))  # not named, but there
        if most >= len(classes):
            raise BadInput(
                f"{path} holds the label {most}, but only {len(classes)} classes; name each class "
                "in the array classes, the first for label 0"
            )
        labels = labels[kept]
    return Pictures(images, labels, classes, [called(i) for i in kept], skipped)
