"""Short clips of drawn scenes: balls roll and bounce, balloons and kites drift."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from workbench.data.scenes_drawn import FRAMES, scene
from workbench.data.sets.dataset import Dataset, Pictures, drawn_seeds, drawn_side
from workbench.errors import BadInput
from workbench.params import Knob


@dataclass(frozen=True, kw_only=True)
class DrawnClips(Dataset):
    """`frames` of a scene's sixteen, every `every`-th, from the first on.

    A clip of eight frames takes about 50 ms to draw. Test clips have seeds of their own.
    """

    gives: ClassVar[tuple[str, ...]] = ("clips",)
    licence: ClassVar[str] = "drawn by the workbench"

    count: Annotated[int, Knob("clips for training", 10, 100_000, 100, None, 5000)] = 300
    frames: Annotated[int, Knob("frames of a clip", 1, FRAMES, 1)] = 8
    every: Annotated[int, Knob("steps from frame to frame", 1, FRAMES, 1)] = 2

    def __post_init__(self) -> None:
        """Check all knobs, and that the last frame is one of the scene's."""
        super().__post_init__()
        last = (self.frames - 1) * self.every
        if last >= FRAMES:
            raise BadInput(
                f"drawn_clips: frame {last} is asked for, but scenes have frames 0 to "
                f"{FRAMES - 1}; take every={max(1, (FRAMES - 1) // max(1, self.frames - 1))}."
            )

    def load(self, size: int, *, train: bool = True) -> Pictures:
        """See `Dataset.load`."""
        seeds, side = drawn_seeds(self.count, train), drawn_side(size)
        clips = np.empty((len(seeds), self.frames, side, side, 3), np.uint8)
        for i, seed in enumerate(seeds):
            drawn = scene(seed, side)
            for t in range(self.frames):
                clips[i, t] = drawn.frame(t * self.every).image
        return Pictures(clips, names=[f"scene {seed}" for seed in seeds])
