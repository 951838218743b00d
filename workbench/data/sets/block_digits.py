"""Digits that share their picture with a block that tells nothing: where to look is known."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.data.sets.dataset import Dataset, Pictures, resized
from workbench.errors import BadInput
from workbench.params import Knob
from workbench.seeds import Noise


@dataclass(frozen=True, kw_only=True)
class BlockDigits(Dataset):
    """A digit and a null block, one above the other, in the middle of a black square.

    Which is on top is drawn for every picture. The null block, a crossed frame, is the same in all,
    so that whatever an explanation puts there is an error. `extra` holds `signal` and `null`, bool
    [n, size, size]. BlockMNIST of Shah, Jain, Netrapalli, NeurIPS 2021; drawn by us, since
    harshays/inputgradients has no generator.
    """

    gives: ClassVar[tuple[str, ...]] = ("images", "labelled")
    licence: ClassVar[str] = "that of the pictures in it; the null block is drawn by the workbench"

    of: Annotated[str, Knob("recipe of small labelled pictures, such as fashion_mnist()")] = (
        "digits()"
    )
    null: Annotated[bool, Knob("show the null block; without it only the digit stands there")] = (
        True
    )
    seed: Annotated[int, Knob("decides which block is on top", 0, 2**31 - 1, 1)] = 0

    def load(self, size: int, *, train: bool = True) -> Pictures:
        """See `Dataset.load`; `size` must be even and at least 16."""
        from workbench.data.sets import DATASETS

        if size % 2 or size < 16:
            raise BadInput(f"size is {size}, but two blocks need an even side from 16 on; take 16.")
        side = size // 2
        inner = DATASETS.parse(self.of)
        if "labelled" not in inner.gives or isinstance(inner, BlockDigits):
            raise BadInput(f"of is {self.of}, wanted small labelled pictures, such as digits().")
        found = inner.load(side, train=train)
        blocks = resized(found.images, side)
        count = len(blocks)
        up = Noise(self.seed, int(not train), count=count).bits(1)[:, 0] % 2 == 0
        signal = np.zeros((count, size, size), bool)
        left = side // 2
        signal[up, :side, left : left + side] = True
        signal[~up, side:, left : left + side] = True
        null = signal[:, ::-1].copy()
        images = np.zeros((count, size, size, 3), np.uint8)
        images[signal] = blocks.reshape(-1, 3)
        if self.null:
            images[null] = np.tile(null_block(side).reshape(-1, 3), (count, 1))
        extra = {"signal": signal, "null": null}
        return Pictures(images, found.labels, found.classes, found.names, (), extra)


def null_block(side: int) -> NDArray[np.uint8]:
    """A frame with both diagonals, uint8 [side, side, 3], white on black."""
    at, wide = np.arange(side), max(1, side // 16)
    rows, cols = at[:, None], at[None, :]
    edge = np.minimum(np.minimum(rows, cols), np.minimum(side - 1 - rows, side - 1 - cols))
    cross = np.minimum(np.abs(rows - cols), np.abs(rows + cols - side + 1))
    drawn = (edge < wide) | (cross < wide)
    return np.where(drawn, np.uint8(255), np.uint8(0))[..., None].repeat(3, axis=2)
