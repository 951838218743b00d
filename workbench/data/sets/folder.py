"""A folder of the user's pictures; subfolders are classes where every picture lies in one."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from workbench.data.folders import any_picture, folder
from workbench.data.home import home
from workbench.data.sets.dataset import Dataset, Pictures, Skip, collect, split
from workbench.errors import BadInput
from workbench.params import Knob

MARGIN = 1.25  # crops have something to choose from
IN_MEMORY = 1 << 30  # bytes of decoded pictures above which they are mapped from a file
PARTS = {True: ("train", "training"), False: ("test", "val", "valid", "validation")}


@dataclass(frozen=True, kw_only=True)
class Folder(Dataset):
    """PNG, JPEG and WebP files of a folder and its subfolders.

    Folders `train` and `test` (or `val`) are the two parts where both are there; otherwise every
    fifth picture is for testing. Decoded pictures above 1 GB are kept in a file under
    WORKBENCH_HOME and mapped, so that they need no memory of the run's.
    """

    gives: ClassVar[tuple[str, ...]] = ("images", "labelled")

    path: Annotated[str, Knob("the folder")] = ""
    skip: Skip = 100

    def there(self) -> None:
        """See `Dataset.there`; a folder without a picture is not there, either."""
        super().there()
        if not any_picture(Path(self.path).expanduser()):
            raise BadInput(f"{self.path} holds no PNG, JPEG or WebP file; name a folder that does.")

    def load(self, size: int, *, train: bool = True) -> Pictures:
        """See `Dataset.load`."""
        self.there()
        root = Path(self.path).expanduser()
        parts = {
            way: [root / name for name in names if (root / name).is_dir()]
            for way, names in PARTS.items()
        }
        if parts[True] and parts[False]:
            return _read(parts[train][0], round(size * MARGIN), self.skip)
        return split(_read(root, round(size * MARGIN), self.skip), train)


def _read(root: Path, side: int, limit: int) -> Pictures:
    listed = folder(root)
    names = [path.relative_to(root).as_posix() for path in listed.files]
    count, total = len(names), len(names) * side * side * 3
    out = _mapped(listed.files, count, side) if total > IN_MEMORY else None
    images, kept, skipped = collect(
        count, lambda i: listed.files[i], lambda i: names[i], side, limit, out
    )
    left = [*listed.skipped, *skipped]
    if len(left) > limit:
        raise BadInput(
            f"{len(left)} pictures of {root} are damaged, more than the {limit} that may be left "
            f"out; the first: {left[0][1]}"
        )
    names = [names[i] for i in kept]
    labels, classes = _classes(names)
    return Pictures(images, labels, classes, names, tuple(left))


def _classes(names: list[str]) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    tops = [name.partition("/")[0] if "/" in name else "" for name in names]
    classes = tuple(sorted(set(tops)))
    if "" in classes or len(classes) < 2:
        return None, ()
    numbers = {name: i for i, name in enumerate(classes)}
    return np.array([numbers[top] for top in tops], np.int64), classes


def _mapped(files: tuple[Path, ...], count: int, side: int) -> NDArray[np.uint8]:
    """A file for decoded pictures, named by what they are."""
    told = hashlib.sha256(f"{side}".encode())
    for path in files:
        about = path.stat()
        told.update(f"{path}|{about.st_size}|{about.st_mtime_ns}\n".encode())
    place = home() / "cache"
    place.mkdir(exist_ok=True)
    return open_memmap(
        place / f"pictures-{told.hexdigest()[:24]}.npy", "w+", np.uint8, (count, side, side, 3)
    )
