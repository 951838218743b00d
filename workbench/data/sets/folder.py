"""A folder of the user's pictures; subfolders are classes where every picture lies in one."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.data.decoded import decoded
from workbench.data.folders import PATH_SHOWN, SUFFIXES, any_picture, folder
from workbench.data.sets.dataset import Dataset, Pictures, Skip, collect, rows_of
from workbench.errors import BadInput, shown
from workbench.params import Knob

MARGIN = 1.25  # crops have something to choose from
IN_MEMORY = 1 << 30  # bytes of decoded pictures above which they are mapped from a file
PARTS = {True: ("train", "training"), False: ("test", "val", "valid", "validation")}


@dataclass(frozen=True, kw_only=True)
class Folder(Dataset):
    """PNG, JPEG and WebP files of a folder and its subfolders.

    Folders `train` and `test` (or `val`) are the two parts where both are there, and their classes
    those of both together; otherwise every fifth picture is for testing. Decoded pictures above
    1 GB are kept in a file under WORKBENCH_HOME and mapped, so that they need no memory of the
    run's.
    """

    gives: ClassVar[tuple[str, ...]] = ("images", "labelled")

    path: Annotated[str, Knob("the folder")] = ""
    skip: Skip = 100

    def there(self) -> None:
        """See `Dataset.there`; a folder without a picture is not there, either."""
        super().there()
        if not any_picture(Path(self.path).expanduser()):
            raise BadInput(
                f"{shown(self.path, PATH_SHOWN)} holds no PNG, JPEG or WebP file; name a folder "
                "that does."
            )

    def load(self, size: int, *, train: bool = True) -> Pictures:
        """See `Dataset.load`."""
        self.there()
        root = Path(self.path).expanduser()
        parts = {
            way: [root / name for name in names if (root / name).is_dir()]
            for way, names in PARTS.items()
        }
        side = round(size * MARGIN)
        if parts[True] and parts[False]:
            both = {kind for part in (True, False) for kind in _kinds(parts[part][0])}
            return _read(parts[train][0], side, self.skip, also=both)
        return _read(root, side, self.skip, train)


def _read(
    root: Path, side: int, limit: int, train: bool | None = None, also: Collection[str] = ()
) -> Pictures:
    """Decode a folder, or one part of it; the other part's pictures are not opened.

    `also` are the classes of two parts in folders of their own: one that a part lacks must not
    shift the numbers of the others.
    """
    listed = folder(root, limit)
    names = [path.relative_to(root).as_posix() for path in listed.files]
    labels, classes = _classes(names, also)
    rows = np.arange(len(names)) if train is None else rows_of(len(names), train)
    if not len(rows):  # too few pictures for a test part
        return Pictures(np.empty((0, side, side, 3), np.uint8), None, (), (), listed.skipped)
    files = [listed.files[i] for i in rows]
    told = [names[i] for i in rows]

    def decode(
        out: NDArray[np.uint8] | None,
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64], tuple[tuple[str, str], ...]]:
        return collect(len(files), files.__getitem__, told.__getitem__, side, limit, out)

    large = len(files) * side * side * 3 > IN_MEMORY
    images, kept, skipped = decoded(files, side, decode) if large else decode(None)
    left = [*listed.skipped, *skipped]
    if len(left) > limit:
        raise BadInput(
            f"{len(left)} pictures of {root} are damaged, more than the {limit} that may be left "
            f"out; the first: {left[0][1]}"
        )
    return Pictures(
        images,
        None if labels is None else labels[rows[kept]],
        classes,
        [told[i] for i in kept],
        tuple(left),
        sizes=np.array([_size(files[i]) for i in kept], np.int64),
    )


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:  # gone since it was decoded
        return 0


def _classes(
    names: list[str], also: Collection[str]
) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    tops = [name.partition("/")[0] if "/" in name else "" for name in names]
    classes = tuple(sorted({*tops, *also}))
    if "" in tops or len(classes) < 2:
        return None, ()
    numbers = {name: i for i, name in enumerate(classes)}
    return np.array([numbers[top] for top in tops], np.int64), classes


def _kinds(root: Path) -> list[str]:
    """Subfolders that hold a picture; [] where pictures lie beside them, which have no class."""
    inside = list(root.iterdir())
    if any(each.suffix.lower() in SUFFIXES for each in inside):
        return []
    return [each.name for each in inside if each.is_dir() and any_picture(each)]
