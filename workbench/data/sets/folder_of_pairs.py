"""A folder of stereo pairs, or of any two views of one thing."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from workbench.data.images import fit, open_image
from workbench.data.matched import named_folder, together
from workbench.data.sets.dataset import TEST_EVERY, Dataset, Pictures, Skip, drawn_side
from workbench.errors import BadInput
from workbench.params import Knob
from workbench.seeds import Noise

CROP_SEED = 0x57E2
ENDINGS = (".png", ".jpg", ".jpeg", ".webp")


@dataclass(frozen=True, kw_only=True)
class FolderOfPairs(Dataset):
    """Subfolders `left` and `right` with files of equal names, or names ending in _left, _right.

    With `crops` above 1 each pair gives as many windows, at random places but the same in both
    pictures: of a rectified pair all rows still match. Every fifth window is for testing; where
    there are fewer than five pairs it comes from the same ones.
    """

    gives: ClassVar[tuple[str, ...]] = ("pairs",)

    path: Annotated[str, Knob("the folder")] = ""
    crops: Annotated[int, Knob("windows of each pair; 1 for the whole", 1, 100_000, 10)] = 1
    share: Annotated[float, Knob("side of a window over the shorter side", 0.05, 1, 0.05)] = 0.5
    skip: Skip = 100

    def load(self, size: int, *, train: bool = True) -> Pictures:
        """See `Dataset.load`."""
        root = named_folder(self.path, self.name)
        names, files = together(root, ("left", "right"), ENDINGS)
        side, skipped = drawn_side(size), list[tuple[str, str]]()
        rows: list[np.ndarray] = []
        told: list[str] = []
        for at, name in enumerate(names):
            try:
                views = [open_image(path, name=path.name, longest=8192) for path in files[at]]
                pixels = [view.pixels for view in views]
                if pixels[0].shape != pixels[1].shape:
                    raise BadInput(f"{name} has views of two sizes; make them one.")
            except BadInput as problem:
                skipped.append((name, str(problem)))
                if len(skipped) > self.skip:
                    raise BadInput(f"too many pairs cannot be read; the first: {problem}") from None
                continue
            for k in range(self.crops):
                if ((at * self.crops + k) % TEST_EVERY == TEST_EVERY - 1) == train:
                    continue
                rows.append(np.stack([self._window(view, at, k, side) for view in pixels]))
                told.append(f"{name}#{k}" if self.crops > 1 else name)
        if not rows:
            raise BadInput(f"{root} has too few pairs for two parts; ask for more crops of each.")
        return Pictures(np.stack(rows), names=told, skipped=tuple(skipped))

    def _window(self, pixels: np.ndarray, pair: int, number: int, side: int) -> np.ndarray:
        if self.crops == 1:
            return fit(pixels, side, side)
        h, w = pixels.shape[:2]
        u = Noise(CROP_SEED, pair, number).uniform(2)[0]
        edge = max(1, round(min(h, w) * self.share))
        y, x = int(u[0] * (h - edge + 1)), int(u[1] * (w - edge + 1))
        return fit(pixels[y : y + edge, x : x + edge], side, side)
