"""The mask: which cells of a grid the encoder may not see."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput, shown
from workbench.masks import storage
from workbench.masks.lattice import Grid

Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Mask:
    """A batch of masks; True = hidden. The arrays are read-only.

    `hidden` is bool [b, *grid.shape]; `targets`, where a strategy names what is to be predicted,
    is bool [b, k, *grid.shape]. `a & b`, `a | b`, `a ^ b`, `a - b` and `~a` work cell by cell, a
    batch of one goes with any batch, and the result has no targets.

    >>> grid = Grid(2, 3)
    >>> top, left = Mask.from_bits("111000", grid), Mask.from_bits("100100", grid)
    >>> (top - left).to_bits(), (top | left).counts.tolist(), (~top).hidden_indices().tolist()
    ('011000', [4], [[3, 4, 5]])

    Raises:
        BadInput: arrays that are not boolean or do not fit the grid.
    """

    hidden: Bools
    grid: Grid
    targets: Bools | None = None

    def __post_init__(self) -> None:
        shape = self.grid.shape
        object.__setattr__(self, "hidden", _frozen("hidden", self.hidden, (..., *shape)))
        if self.targets is not None:
            wanted = (len(self.hidden), ..., *shape)
            object.__setattr__(self, "targets", _frozen("targets", self.targets, wanted))

    @staticmethod
    def stack(masks: "Sequence[Mask]") -> "Mask":
        """Join batches on one grid into one; targets are kept where every batch has them."""
        grids = {mask.grid for mask in masks}
        if len(grids) != 1:
            raise BadInput(f"Masks on {len(grids)} different grids cannot be joined; use one grid.")
        targets = [mask.targets for mask in masks if mask.targets is not None]
        return Mask(
            np.concatenate([mask.hidden for mask in masks]),
            masks[0].grid,
            np.concatenate(targets) if len(targets) == len(masks) else None,
        )

    @staticmethod
    def from_bits(bits: str, grid: Grid) -> "Mask":
        """Return a batch of one from "0101...", row-major, 1 = hidden.

        Raises:
            BadInput: other characters, or another length than the grid's size.
        """
        return Mask(storage.bits_to_cells(bits, grid)[None], grid)

    def to_bits(self) -> str:
        """Return "0101...", row-major, 1 = hidden, for a batch of one."""
        if len(self) != 1:
            raise BadInput(
                f"to_bits writes one mask, but this batch has {len(self)}; take mask[0]."
            )
        return storage.cells_to_bits(self.hidden[0])

    @staticmethod
    def load(path: str | Path, grid: Grid | None = None, threshold: float = 0.5) -> "Mask":
        """Read a mask from .npz, .png, .json, .rle.json, LabelMe's .json or CVAT's .xml.

        A foreign picture, RLE or annotation of any size needs `grid`: a patch is hidden when at
        least the share `threshold` of its area is dark (picture) or set (the others).
        `workbench.masks.imports.read` chooses labels and pictures of an annotation.

        Raises:
            BadInput: missing, too big, broken or foreign without a grid; nothing is executed.
        """
        hidden, found, targets = storage.read(Path(path), grid, threshold)
        return Mask(hidden, found, targets)

    def save(self, path: str | Path, pixels: bool = False) -> Path:
        """Write .npz, .png, .json or .rle.json by the path's ending and return the path.

        `pixels=True` writes a .png or .rle.json of the photo's size instead of one pixel a patch.

        Raises:
            BadInput: another ending, or a folder that cannot be written.
        """
        return storage.write(Path(path), self.hidden, self.grid, self.targets, pixels)

    def __len__(self) -> int:
        return len(self.hidden)

    def __getitem__(self, index: int | slice) -> "Mask":
        """Return mask `index` as a batch of one, or a slice of the batch."""
        if not isinstance(index, slice):
            if not -len(self) <= index < len(self):
                raise IndexError(f"mask {index} of a batch of {len(self)}")
            index = slice(index, index + 1 or None)
        return Mask(
            self.hidden[index], self.grid, None if self.targets is None else self.targets[index]
        )

    def __iter__(self) -> "Iterator[Mask]":
        return (self[index] for index in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mask):
            return NotImplemented
        both = self.targets is None and other.targets is None
        targets = self.targets is not None and other.targets is not None
        same = both or (targets and np.array_equal(self.targets, other.targets))  # pyright: ignore
        return self.grid == other.grid and np.array_equal(self.hidden, other.hidden) and bool(same)

    def __hash__(self) -> int:
        targets = None if self.targets is None else self.targets.tobytes()
        return hash((self.grid, self.hidden.tobytes(), targets))

    def __repr__(self) -> str:
        counts = self.counts
        many = f"{counts.min()}-{counts.max()}" if len(set(counts.tolist())) > 1 else f"{counts[0]}"
        return f"Mask({len(self)} on {self.grid.shape}, {many} of {self.grid.size} hidden)"

    @property
    def counts(self) -> NDArray[np.int64]:
        """Hidden cells of each mask, int64 [b]."""
        return np.count_nonzero(self.hidden.reshape(len(self), -1), axis=1).astype(np.int64)

    @property
    def ratio(self) -> NDArray[np.float64]:
        """Realised share of hidden cells, float64 [b]."""
        return self.counts / self.grid.size

    def visible_indices(self) -> NDArray[np.int64]:
        """Return the row-major numbers of visible cells, int64 [b, n].

        Raises:
            BadInput: the masks of the batch show different counts.
        """
        return self._indices(~self.hidden, "visible")

    def hidden_indices(self) -> NDArray[np.int64]:
        """Return the row-major numbers of hidden cells, int64 [b, n]; raises as above."""
        return self._indices(self.hidden, "hidden")

    def _indices(self, cells: Bools, word: str) -> NDArray[np.int64]:
        flat = cells.reshape(len(self), -1)
        counts = np.count_nonzero(flat, axis=1)
        if counts.min() != counts.max():
            raise BadInput(
                f"The masks of this batch have {counts.min()} to {counts.max()} {word} patches; "
                "indices need equal counts; use an exact strategy, or one mask at a time."
            )
        return np.flatnonzero(flat).reshape(len(self), -1) % self.grid.size

    def to_pixels(self) -> Bools:
        """Return the mask at pixel size, bool [b, (frames,) rows * patch, cols * patch]."""
        return storage.enlarged(self.hidden, self.grid.patch)

    def __and__(self, other: "Mask") -> "Mask":
        return self._with(other, np.logical_and)

    def __or__(self, other: "Mask") -> "Mask":
        return self._with(other, np.logical_or)

    def __xor__(self, other: "Mask") -> "Mask":
        return self._with(other, np.logical_xor)

    def __sub__(self, other: "Mask") -> "Mask":
        """Hidden here and visible there."""
        return self._with(other, np.greater)

    def __invert__(self) -> "Mask":
        return Mask(~self.hidden, self.grid)

    def _with(self, other: object, operation: Any) -> "Mask":
        if not isinstance(other, Mask):
            raise BadInput(f"A mask combines with a mask, not with {shown(other)}.")
        if other.grid.shape != self.grid.shape:
            raise BadInput(
                f"Masks on {self.grid.shape} and {other.grid.shape} cannot be combined; "
                "draw both on one grid."
            )
        if len(self) != len(other) and 1 not in (len(self), len(other)):
            raise BadInput(
                f"Batches of {len(self)} and {len(other)} masks cannot be combined; "
                "use equal counts, or one mask with any batch."
            )
        return Mask(operation(self.hidden, other.hidden), self.grid)


def _frozen(name: str, cells: Any, shape: tuple[Any, ...]) -> Bools:
    """Return a read-only view after checking dtype and shape (`...` = any size)."""
    array = np.asarray(cells)
    fits = len(array.shape) == len(shape) and all(
        want is ... or have == want for have, want in zip(array.shape, shape, strict=True)
    )
    if array.dtype != np.bool_ or not fits or array.shape[0] == 0:
        wanted = ", ".join("n" if want is ... else str(want) for want in shape)
        raise BadInput(
            f"Mask: {name} is {array.dtype} of shape {array.shape}, but must be bool of shape "
            f"({wanted}) with at least one mask; draw it on this grid."
        )
    view = array.view()
    view.flags.writeable = False
    return view
