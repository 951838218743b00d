"""Scenes that the workbench draws: as many as wanted, known exactly, without a file."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from workbench.data.scenes_drawn import SMALLEST, scene
from workbench.data.sets.dataset import Dataset, Pictures, resized
from workbench.params import Knob

TEST_SEED = 1 << 40


@dataclass(frozen=True, kw_only=True)
class Drawn(Dataset):
    """Landscapes with balls, balloons, houses and trees.

    `extra` holds `objects`, uint8 [n, size, size] (0 = the land), and `depth`, float32, of every
    picture. Test scenes have seeds of their own.
    """

    gives: ClassVar[tuple[str, ...]] = ("images",)
    licence: ClassVar[str] = "drawn by the workbench"

    count: Annotated[int, Knob("scenes for training", 10, 100_000, 100, None, 10_000)] = 1000

    def load(self, size: int, *, train: bool = True) -> Pictures:
        """See `Dataset.load`."""
        first, count = (0, self.count) if train else (TEST_SEED, max(10, self.count // 5))
        side = max(size, SMALLEST)
        images = np.empty((count, side, side, 3), np.uint8)
        objects = np.empty((count, side, side), np.uint8)
        depth = np.empty((count, side, side), np.float32)
        for i in range(count):
            view = scene(first + i, side).left
            images[i], objects[i], depth[i] = view.image, view.objects, view.depth
        names = [f"scene {first + i}" for i in range(count)]
        extra = {"objects": objects, "depth": depth} if side == size else {}
        return Pictures(resized(images, size), names=names, extra=extra)
