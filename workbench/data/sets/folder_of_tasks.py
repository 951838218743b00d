"""A folder of tasks that pictures show: what goes in, and what should come out."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from workbench.data.folders import natural
from workbench.data.images import fit, open_image
from workbench.data.matched import named_folder, together
from workbench.data.sets.dataset import TEST_EVERY, Dataset, Pictures, drawn_side
from workbench.errors import BadInput
from workbench.params import Knob

ENDINGS = (".png", ".jpg", ".jpeg", ".webp")


@dataclass(frozen=True, kw_only=True)
class FolderOfTasks(Dataset):
    """Subfolders `input` and `target` with files of equal names; several tasks are subfolders.

    A row is an example's input and target, then a question's, [4, h, w, 3]: the example is the next
    pair of the same task and part. Every fifth pair is for testing.
    """

    gives: ClassVar[tuple[str, ...]] = ("tasks",)

    path: Annotated[str, Knob("the folder")] = ""

    def load(self, size: int, *, train: bool = True) -> Pictures:
        """See `Dataset.load`."""
        root, side = named_folder(self.path, self.name), drawn_side(size)
        if (root / "input").is_dir():
            tasks = [root]
        else:
            inside = [each for each in root.iterdir() if (each / "input").is_dir()]
            tasks = sorted(inside, key=lambda each: natural(each.name))
        if not tasks:
            raise BadInput(f"{root} holds no subfolder input; put input and target there.")
        rows: list[np.ndarray] = []
        labels: list[int] = []
        told: list[str] = []
        for number, task in enumerate(tasks):
            names, files = together(task, ("input", "target"), ENDINGS)
            mine = [i for i in range(len(names)) if (i % TEST_EVERY == TEST_EVERY - 1) != train]
            if len(mine) < 2:
                part = "training" if train else "testing"
                raise BadInput(f"{task} has {len(mine)} pairs for {part}, wanted 2 or more.")
            pairs = [
                np.stack([fit(open_image(f, name=f.name).pixels, side, side) for f in files[i]])
                for i in mine
            ]
            for at, i in enumerate(mine):
                rows.append(np.concatenate([pairs[(at + 1) % len(pairs)], pairs[at]]))
                labels.append(number)
                told.append(names[i])
        classes = tuple(task.name for task in tasks)
        return Pictures(np.stack(rows), np.array(labels, np.int64), classes, told)
