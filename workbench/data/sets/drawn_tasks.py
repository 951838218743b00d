"""Drawn scenes and their edges, labels and depth as pictures: tasks shown by an example."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.data.drawn_land import FAR
from workbench.data.scene_maps import PALETTE, edges, kinds, nearness
from workbench.data.scenes_drawn import scene
from workbench.data.sets.dataset import Dataset, Pictures, drawn_seeds, drawn_side
from workbench.params import Knob
from workbench.seeds import Noise

PARTNER_SEED = 0x9A12
TASKS = ("edges", "labels", "depth")
EXAMPLES = 3  # rows a scene asks for: one a task


@dataclass(frozen=True, kw_only=True)
class DrawnTasks(Dataset):
    """Rows [4, h, w, 3]: an example's input and target, a question's input and target.

    The task is edges, labels (a colour a kind) or depth (grey, bright is near), and stands in the
    row's label. The example is another scene's. In `extra` stands `valid`, uint8 [n, 2, h, w]: 0
    where a target means nothing, which is the sky of a depth map. Each scene asks for all three
    tasks. Test scenes have seeds of their own.
    """

    gives: ClassVar[tuple[str, ...]] = ("tasks",)
    licence: ClassVar[str] = "drawn by the workbench"

    count: Annotated[int, Knob("scenes for training", 10, 100_000, 100, None, 10_000)] = 500

    def load(self, size: int, *, train: bool = True) -> Pictures:
        """See `Dataset.load`."""
        seeds, side = drawn_seeds(self.count, train), drawn_side(size)
        n = len(seeds)
        inputs = np.empty((n, side, side, 3), np.uint8)
        targets = np.empty((n, EXAMPLES, side, side, 3), np.uint8)
        valid = np.ones((n, EXAMPLES, side, side), np.uint8)
        for i, seed in enumerate(seeds):
            drawn = scene(seed, side)
            view = drawn.left
            inputs[i] = view.image
            targets[i, 0] = edges(view.image)[..., None]
            targets[i, 1] = PALETTE[kinds(drawn, view)]
            targets[i, 2] = (nearness(view)[..., None] * 255).astype(np.uint8)
            valid[i, 2] = view.depth < FAR
        question, task = np.divmod(np.arange(n * EXAMPLES), EXAMPLES)
        example = _partners(n, seeds[0])[question, task]
        rows = np.stack(
            [inputs[example], targets[example, task], inputs[question], targets[question, task]],
            axis=1,
        )
        told = np.stack([valid[example, task], valid[question, task]], axis=1)
        names = [f"{TASKS[t]} of scene {seeds[q]}" for q, t in zip(question, task, strict=True)]
        return Pictures(rows, task.astype(np.int64), TASKS, names, (), {"valid": told})


def _partners(n: int, first: int) -> NDArray[np.int64]:
    """Another scene for each scene and task, int64 [n, tasks]."""
    step = Noise(PARTNER_SEED, 0, first, n).uniform(EXAMPLES) * (n - 1)
    return (np.arange(n)[:, None] + 1 + step.astype(np.int64)) % n
