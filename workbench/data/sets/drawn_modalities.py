"""Drawn scenes with depth and labels that are exact: three modalities of one thing."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from workbench.data.scene_maps import CLASSES, kinds, nearness
from workbench.data.scenes_drawn import scene
from workbench.data.sets.dataset import Dataset, Pictures, drawn_seeds, drawn_side
from workbench.params import Knob


@dataclass(frozen=True, kw_only=True)
class DrawnModalities(Dataset):
    """Pictures, and in `extra` `depth`, float32 [n, h, w], 0 (far) to 1 (near), and `labels`.

    Labels, uint8 [n, h, w], are land, sky and nine kinds of things, named by `classes`. Test scenes
    have seeds of their own.
    """

    gives: ClassVar[tuple[str, ...]] = ("modalities",)
    licence: ClassVar[str] = "drawn by the workbench"

    count: Annotated[int, Knob("scenes for training", 10, 100_000, 100, None, 10_000)] = 1000

    def load(self, size: int, *, train: bool = True) -> Pictures:
        """See `Dataset.load`."""
        seeds, side = drawn_seeds(self.count, train), drawn_side(size)
        images = np.empty((len(seeds), side, side, 3), np.uint8)
        labels = np.empty((len(seeds), side, side), np.uint8)
        depth = np.empty((len(seeds), side, side), np.float32)
        for i, seed in enumerate(seeds):
            drawn = scene(seed, side)
            view = drawn.left
            images[i], labels[i], depth[i] = view.image, kinds(drawn, view), nearness(view)
        names = [f"scene {seed}" for seed in seeds]
        return Pictures(images, None, CLASSES, names, (), {"depth": depth, "labels": labels})
