"""What every data set shares: knobs, and pictures decoded once into memory."""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.data.home import home
from workbench.data.images import fit, open_image
from workbench.data.scenes_drawn import SMALLEST
from workbench.errors import BadInput
from workbench.params import Knob
from workbench.registry import Member

Where = Annotated[str, Knob("folder or file of a local copy; empty to look in the usual places")]
Skip = Annotated[
    int, Knob("damaged pictures left out before it is an error", 0, 1_000_000, 10, None, 1000)
]
MARGIN = 1.25  # what has any side is kept a quarter larger: crops have something to choose from
TEST_SEED = 1 << 40  # test scenes have seeds of their own
TEST_EVERY = 5  # where a set has no test part of its own


@dataclass(frozen=True)
class Pictures:
    """Decoded pictures.

    `images` is uint8 [n, h, w, 3] (or [n, frames, h, w, 3] for clips, pairs and tasks,
    [n, h, w, bands] for bands, [n, h, w, 1] for spectrograms), in memory or mapped from a file.
    `labels` are int64 [n], -1 where unknown, or None. `names` tells what row i is called, `skipped`
    which pictures were left out, and why. `extra` holds more arrays [n, ...] by name, such as
    depth; those of the pictures' height and width are cut and mirrored with them where the data are
    more than pictures. `sizes` are the bytes of the files, int64 [n], where each row is one file's.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None = None
    classes: tuple[str, ...] = ()
    names: Sequence[str] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    extra: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    sizes: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.images)

    def name(self, row: int) -> str:
        """What row i is called; its number where the set has no names."""
        return self.names[row] if len(self.names) else f"#{row}"

    def mark(self) -> dict[str, Any]:
        """What tells that a run goes on with the same pictures in the same order.

        `pictures`, how many, and `names`, SHA-256 of what they are called and their labels; `sizes`
        that of the bytes of their files, where they are known: a copy has them, too, other than
        times of change.
        """
        told = hashlib.sha256("\n".join(self.names).encode())
        if self.labels is not None:
            told.update(self.labels.tobytes())
        mark = {"pictures": len(self), "names": told.hexdigest()}
        if self.sizes is not None:
            mark["sizes"] = hashlib.sha256(self.sizes.tobytes()).hexdigest()
        return mark

    def rows(self, keep: "slice | NDArray[Any]") -> "Pictures":
        """The same set with some rows only."""
        numbers = np.arange(len(self))[keep]
        return Pictures(
            self.images[keep],
            None if self.labels is None else self.labels[keep],
            self.classes,
            [self.name(int(i)) for i in numbers],
            self.skipped,
            {name: values[keep] for name, values in self.extra.items()},
            None if self.sizes is None else self.sizes[keep],
        )

    def some(self, most: int) -> "Pictures":
        """At most `most` rows, all for 0: the first, or evenly spaced where classes stand together.

        In a folder the first ones would be those of one class.
        """
        if not most or most >= len(self):
            return self
        labels = self.labels
        if labels is None or np.count_nonzero(np.diff(labels)) >= len(np.unique(labels)):
            return self.rows(slice(0, most))
        return self.rows(np.arange(most) * len(self) // most)

    def joined(self, other: "Pictures") -> "Pictures":
        """Its rows, then those of another set of that size; classes where both have the same."""
        labels, same = None, self.classes == other.classes
        if same and self.labels is not None and other.labels is not None:
            labels = np.concatenate([self.labels, other.labels])
        return Pictures(
            np.concatenate([self.images, other.images]),
            labels,
            self.classes if same else (),
            [each.name(i) for each in (self, other) for i in range(len(each))],
            tuple(dict.fromkeys((*self.skipped, *other.skipped))),
        )


@dataclass(frozen=True, kw_only=True)
class Dataset(Member):
    """Where pictures come from: frozen knobs and one `load`.

    `gives` says which objectives can use it ("images" for all of pictures, "labelled" where
    there are classes, "pairs", "clips", "bands", "modalities", "tasks", "spectrograms"). `side` is
    the pictures' own side in pixels, 0 where they have many.
    """

    gives: ClassVar[tuple[str, ...]] = ("images",)
    side: ClassVar[int] = 0
    licence: ClassVar[str] = ""
    always_print: ClassVar[tuple[str, ...]] = ()
    described: ClassVar[tuple[str, ...]] = ("gives", "side", "licence")

    def load(self, size: int, *, train: bool = True) -> Pictures:
        """Decode the training or the test part.

        Args:
            size: side in pixels that the encoder reads. Pictures of another side are resized; those
                of any side are kept a quarter larger, so that crops have something to choose from.
            train: the training part, else the test part.

        Raises:
            BadInput: it is not there, or too much of it is damaged; says where it was looked for.
        """
        raise NotImplementedError

    def there(self) -> None:
        """Look, in no time, whether it is there at all: no run shall wait only to fail.

        Raises:
            BadInput: it is not; says where it was looked for.
        """
        path = getattr(self, "path", None)
        if path == "":
            raise BadInput(
                f"{self.name}: path is empty; name the folder or file, as in "
                f'{self.name}(path="mine")'
            )
        if path is not None and not Path(path).expanduser().exists():
            raise BadInput(
                f"{self.name}: there is no {path}, seen from {Path.cwd()}; name what is there, as "
                "in data.path=FOLDER"
            )


def found(path: str, names: Sequence[str], what: str) -> Path:
    """Return the first of `names` in `path`, or in the usual places where that is empty.

    These are `$WORKBENCH_DATA`, `data` under WORKBENCH_HOME, and `./data`.

    Raises:
        BadInput: none of them is there.
    """
    stated = os.environ.get("WORKBENCH_DATA", "")
    usual = [*([Path(stated)] if stated else []), home() / "data", Path("data")]
    roots = [Path(path).expanduser()] if path else usual
    for root in roots:
        if path and root.is_file():
            return root
        for name in names:
            if (root / name).exists():
                return root / name
    name = what.replace("-", "").replace("_", "")
    recipe = what.lower().replace("-", "") + '(path="FOLDER")'
    raise BadInput(
        f"{what} is not in {' or '.join(str(root) for root in roots)} (none of "
        f"{', '.join(names)}); name the folder that holds it, as in data={recipe!r}, or set "
        f'WORKBENCH_DATA; torchvision.datasets.{name}("data", download=True) fetches it'
    )


def collect(
    count: int,
    read: Callable[[int], bytes | Path],
    name: Callable[[int], str],
    side: int,
    limit: int,
    out: NDArray[np.uint8] | None = None,
) -> tuple[NDArray[np.uint8], NDArray[np.int64], tuple[tuple[str, str], ...]]:
    """Decode pictures one by one into one array; damaged ones are left out and named.

    Args:
        count: pictures.
        read: gives the bytes or the path of picture i.
        name: what picture i is called.
        side: every picture is brought to this side (largest centred square, Lanczos).
        limit: damaged pictures at most.
        out: uint8 [count, side, side, 3] to fill; made where it is None.

    Returns:
        The pictures that could be read [m, side, side, 3] (a view of `out`), their numbers, and
        (name, reason) of the others.

    Raises:
        BadInput: more than `limit` are damaged, or all of them.
    """
    images = np.empty((count, side, side, 3), np.uint8) if out is None else out
    kept: list[int] = []
    skipped: list[tuple[str, str]] = []
    for i in range(count):
        try:
            pixels = open_image(read(i), name=name(i), longest=max(4 * side, 64)).pixels
        except BadInput as error:
            skipped.append((name(i), str(error)))
            if len(skipped) > limit:
                raise BadInput(
                    f"{len(skipped)} pictures are damaged, more than the {limit} that may be left "
                    f"out; the first: {skipped[0][1]}, the last: {skipped[-1][1]}"
                ) from None
            continue
        images[len(kept)] = fit(pixels, side, side, "crop")
        kept.append(i)
    if not kept:
        raise BadInput("no picture can be read; name a data set with whole pictures")
    return images[: len(kept)], np.array(kept, np.int64), tuple(skipped)


def drawn_seeds(count: int, train: bool) -> range:
    """Seeds of `count` scenes for training, or of a fifth as many others for testing."""
    return range(count) if train else range(TEST_SEED, TEST_SEED + max(10, count // TEST_EVERY))


def drawn_side(size: int) -> int:
    """The side in which scenes are drawn for an encoder that reads `size`."""
    return max(round(size * MARGIN), SMALLEST)


def split(pictures: Pictures, train: bool) -> Pictures:
    """The part of a set without a test part of its own: every fifth picture is for testing."""
    return pictures.rows(rows_of(len(pictures), train))


def rows_of(count: int, train: bool) -> NDArray[np.int64]:
    """The rows of one part of `count`: every fifth is for testing."""
    numbers = np.arange(count)
    testing = numbers % TEST_EVERY == TEST_EVERY - 1
    return numbers[~testing if train else testing]


def resized(images: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Bring [n, h, w, 3] to another side, picture by picture; the same array where it fits."""
    if images.shape[1:3] == (side, side):
        return images
    out = np.empty((len(images), side, side, 3), np.uint8)
    for i, pixels in enumerate(images):
        out[i] = fit(pixels, side, side, "crop")
    return out
