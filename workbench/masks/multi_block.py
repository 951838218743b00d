"""Predict several target blocks from one context block (I-JEPA)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput
from workbench.masks.lattice import Grid
from workbench.masks.strategy import Counts, Drawn, Maps, Strategy
from workbench.params import Knob
from workbench.seeds import Noise, hashed

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
TRIES = 20
BATCH_CELLS = 1 << 27  # of the targets of one official batch, a byte each
SIZE_STREAM = 1


@dataclass(frozen=True, kw_only=True)
class MultiBlock(Strategy):
    """Hide all but a context block minus the target blocks; the targets stand in `Mask.targets`.

    Each of `blocks` targets has an area of `target_min` to `target_max` of the grid and an aspect
    of 0.75 to 1.5; the context block has `context_min` to `context_max` and aspect 1. Size, aspect
    and place are drawn for each image and block by themselves. An image whose context has fewer
    than `min_keep` patches is drawn again, 20 times at most; the largest context is kept.

    `legacy` is the official generator with its known bugs: the last row and column are never
    reached, one number drives both scale and aspect, sizes are shared and the index lists cut
    (from the bottom) to the shortest of `batch` images. Images i with equal i // batch are a batch.

    Assran et al., I-JEPA; official file `src/masks/multiblock.py`.
    """

    paper: ClassVar[str] = "arXiv:2301.08243"
    counts: ClassVar[Counts] = "free"
    flat: ClassVar[bool] = True
    chunk_cells: ClassVar[int] = 1 << 18

    blocks: Annotated[int, Knob("number of target blocks", 1, 16, 1, soft_maximum=8)] = 4
    target_min: Annotated[float, Knob("smallest share of a target", 0.01, 1, 0.01)] = 0.15
    target_max: Annotated[float, Knob("largest share of a target", 0.01, 1, 0.01)] = 0.2
    context_min: Annotated[float, Knob("smallest share of the context", 0.01, 1, 0.01)] = 0.85
    context_max: Annotated[float, Knob("largest share of the context", 0.01, 1, 0.01)] = 1.0
    min_keep: Annotated[int, Knob("fewest context patches", 1, 4096, 1, soft_maximum=64)] = 10
    legacy: Annotated[bool, Knob("the official generator with its known bugs")] = False
    batch: Annotated[int, Knob("images a batch, legacy only", 1, 4096, 1, soft_maximum=256)] = 64

    def __post_init__(self) -> None:
        """Check the knobs and the order of the shares."""
        super().__post_init__()
        for name in ("target", "context"):
            low, high = getattr(self, f"{name}_min"), getattr(self, f"{name}_max")
            if low > high:
                raise BadInput(
                    f"multi_block: {name}_min is {low} and {name}_max {high}, but the first must "
                    "not be larger; swap them."
                )

    def draw(self, grid: Grid, noise: Noise, maps: Maps) -> Drawn:
        """Draw all images, then those again whose context is too small."""
        if self.legacy:
            return self._official(grid, noise)
        keys = noise.keys()
        context, targets = self._try(grid, keys, 0)
        size = context.sum(axis=(1, 2))
        for attempt in range(1, TRIES):
            poor = np.flatnonzero(size < self.min_keep)
            if not len(poor):
                break
            other, blocks = self._try(grid, keys[poor], attempt)
            better = other.sum(axis=(1, 2)) > size[poor]
            context[poor[better]], targets[poor[better]] = other[better], blocks[better]
            size = context.sum(axis=(1, 2))
        return ~context, targets

    def _try(self, grid: Grid, keys: NDArray[np.uint32], attempt: int) -> tuple[Bools, Bools]:
        cells = 4 * (self.blocks + 1)
        share = hashed(keys, cells, attempt * cells) * np.float64(2.0**-32)
        scale, aspect, down, across = share.reshape(len(keys), -1, 4).transpose(2, 0, 1)
        low = np.array([self.context_min] + [self.target_min] * self.blocks)
        high = np.array([self.context_max] + [self.target_max] * self.blocks)
        aspect = 0.75 + 0.75 * aspect
        aspect[:, 0] = 1
        height, width = _sides(grid, (low + scale * (high - low)) * grid.size, aspect)
        top = np.floor(down * (grid.rows - height + 1))
        left = np.floor(across * (grid.cols - width + 1))
        blocks = _rectangles(grid, top, left, height, width)
        targets = blocks[:, 1:]
        return blocks[:, 0] & ~targets.any(axis=1), targets

    def _official(self, grid: Grid, noise: Noise) -> Drawn:
        """Draw whole batches, because the official masks of one image depend on its neighbours."""
        most = BATCH_CELLS // (self.blocks * grid.size)
        if self.batch > most:
            raise BadInput(
                f"multi_block: batch is {self.batch}, too much for the memory with {self.blocks} "
                f"blocks on {grid.rows} x {grid.cols}; take at most {most}, or legacy=False."
            )
        first = noise.first // self.batch
        batches = (noise.first + noise.count - 1) // self.batch + 1 - first
        sizes = Noise(noise.seed, noise.step, first, batches).uniform(2, SIZE_STREAM)
        images = Noise(noise.seed, noise.step, first * self.batch, batches * self.batch)
        target = self._size(grid, sizes[:, 0], self.target_min, self.target_max, (0.75, 1.5))
        around = self._size(grid, sizes[:, 1], self.context_min, self.context_max, (1, 1))
        if min(target.min(), around.min()) < 1 or target.prod(axis=0).min() <= self.min_keep:
            raise BadInput(
                f"multi_block: the official generator never ends on {grid.rows} x {grid.cols} with "
                f"min_keep={self.min_keep}; take legacy=False, a larger grid or a smaller min_keep."
            )
        (high, wide), (tall, broad) = target.repeat(self.batch, 1), around.repeat(self.batch, 1)
        draws = images.uniform(2 * self.blocks).reshape(-1, self.blocks, 2)
        top = np.floor(draws[..., 0] * (grid.rows - high)[:, None])
        left = np.floor(draws[..., 1] * (grid.cols - wide)[:, None])
        targets = _rectangles(grid, top, left, high[:, None] + 0 * top, wide[:, None] + 0 * left)
        context = self._context(grid, images, targets, tall, broad)
        flat = context.reshape(batches, self.batch, -1)
        shortest = flat.sum(axis=2).min(axis=1)[:, None, None]
        flat &= np.cumsum(flat, axis=2) <= shortest
        rows = slice(noise.first - images.first, noise.first - images.first + noise.count)
        return ~context[rows], targets[rows]

    def _context(
        self, grid: Grid, images: Noise, targets: Bools, tall: Floats, broad: Floats
    ) -> Bools:
        """Place context blocks; after 20 tries in vain another target may be seen."""
        context = np.zeros((images.count, grid.rows, grid.cols), bool)
        keys, poor = images.keys(SIZE_STREAM + 1), np.arange(images.count)
        for attempt in range(TRIES * (self.blocks + 1)):
            share = hashed(keys[poor], 2, 2 * attempt) * np.float64(2.0**-32)
            top = np.floor(share[:, :1] * (grid.rows - tall[poor, None]))
            left = np.floor(share[:, 1:] * (grid.cols - broad[poor, None]))
            block = _rectangles(grid, top, left, tall[poor, None], broad[poor, None])[:, 0]
            heeded = targets[poor, : self.blocks - attempt // TRIES]
            context[poor] = block & ~heeded.any(axis=1)
            poor = poor[context[poor].sum(axis=(1, 2)) <= self.min_keep]
            if not len(poor):
                break
        return context

    def _size(
        self, grid: Grid, share: Floats, low: float, high: float, aspects: tuple[float, float]
    ) -> Floats:
        """Return height and width of each batch, [2, batches], by the official formula."""
        area = np.floor(grid.size * (low + share * (high - low)))
        aspect = aspects[0] + share * (aspects[1] - aspects[0])
        height = np.minimum(np.rint(np.sqrt(area * aspect)), grid.rows - 1)
        return np.stack([height, np.minimum(np.rint(np.sqrt(area / aspect)), grid.cols - 1)])


def _sides(grid: Grid, area: Floats, aspect: Floats) -> tuple[Floats, Floats]:
    """Return whole sides within the grid, with the same area where one of them was too long."""
    height, width = np.rint(np.sqrt(area * aspect)), np.rint(np.sqrt(area / aspect))
    width = np.where(height > grid.rows, np.rint(area / grid.rows), width)
    height = np.where(width > grid.cols, np.rint(area / grid.cols), height)
    return np.clip(height, 1, grid.rows), np.clip(width, 1, grid.cols)


def _rectangles(grid: Grid, top: Floats, left: Floats, height: Floats, width: Floats) -> Bools:
    """Return bool [*top.shape, rows, cols], True inside each rectangle."""
    rows, cols = np.arange(grid.rows), np.arange(grid.cols)
    lines = (rows >= top[..., None]) & (rows < (top + height)[..., None])
    columns = (cols >= left[..., None]) & (cols < (left + width)[..., None])
    return lines[..., :, None] & columns[..., None, :]
