"""Two views of one scene: photos or drawn scenes under two homographies, or two cameras."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.data.images import fit
from workbench.data.samples import held_out, photo
from workbench.data.scenes_drawn import scene
from workbench.data.sets.dataset import TEST_EVERY, Dataset, Pictures, drawn_seeds, drawn_side
from workbench.params import Knob
from workbench.seeds import Noise

VIEW_SEED = 0xC20C0
SOURCES = ("photos", "scenes", "stereo")
SMALLEST_SHARE = 0.35  # of a photo's shorter side


@dataclass(frozen=True, kw_only=True)
class DrawnPairs(Dataset):
    """Pairs [n, 2, h, w, 3]. The two views overlap by most of their area and share no grid.

    `photos` cuts a random square out of a bundled photo and sees it twice, each corner moved at
    random by up to `strength` of the side; every fifth photo is for testing alone. `scenes` does
    the same with drawn landscapes. `stereo` draws a landscape for a left and a right camera.
    """

    gives: ClassVar[tuple[str, ...]] = ("pairs",)
    licence: ClassVar[str] = "drawn by the workbench; photos each their own, see the app"

    count: Annotated[int, Knob("pairs for training", 10, 1_000_000, 100, None, 10_000)] = 1000
    source: Annotated[str, Knob("what is seen twice", choices=SOURCES)] = "photos"
    strength: Annotated[float, Knob("how far corners move, share of the side", 0, 0.4, 0.05)] = 0.2

    def load(self, size: int, *, train: bool = True) -> Pictures:
        """See `Dataset.load`."""
        seeds, side = drawn_seeds(self.count, train), drawn_side(size)
        pairs = np.empty((len(seeds), 2, side, side, 3), np.uint8)
        all_names = [info.name for info in held_out()]
        names = [n for i, n in enumerate(all_names) if (i % TEST_EVERY == TEST_EVERY - 1) != train]
        told: list[str] = []
        for i, seed in enumerate(seeds):
            if self.source == "stereo":
                drawn = scene(seed, side)
                pairs[i, 0], pairs[i, 1] = drawn.left.image, drawn.right.image
                told.append(f"scene {seed}")
                continue
            u = Noise(VIEW_SEED, 0, seed).uniform(20)[0]
            name = names[int(u[0] * len(names))] if self.source == "photos" else f"scene {seed}"
            pixels = photo(name) if self.source == "photos" else scene(seed, 2 * side).image
            square = _square(pixels, u[1:4])
            work = fit(square, 2 * side, 2 * side)  # reduced or enlarged smoothly, then bent
            for k in range(2):
                moves = (2 * u[4 + 8 * k : 12 + 8 * k].reshape(4, 2) - 1) * self.strength / 2
                pairs[i, k] = _seen(work, moves, side)
            told.append(f"{name}#{seed}")
        return Pictures(pairs, names=told)


def _square(pixels: NDArray[np.uint8], u: NDArray[Any]) -> NDArray[np.uint8]:
    """A square cut out by three random numbers: its side, and its place."""
    h, w = pixels.shape[:2]
    side = max(8, round(min(h, w) * (SMALLEST_SHARE + (1 - SMALLEST_SHARE) * u[0])))
    y, x = int(u[1] * (h - side + 1)), int(u[2] * (w - side + 1))
    return pixels[y : y + side, x : x + side]


def _seen(work: NDArray[np.uint8], moves: NDArray[Any], side: int) -> NDArray[np.uint8]:
    """What a homography with moved corners shows of a square of twice the side."""
    import cv2

    corners = np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)])
    rim = np.abs(moves).max() if moves.size else 0.0
    inside = rim + (corners + moves) * (1 - 2 * rim)
    inside = np.clip(inside, 0, 1)
    there = (inside * (2 * side - 1)).astype(np.float32)
    here = (corners * (side - 1)).astype(np.float32)
    bend = cv2.getPerspectiveTransform(there, here)
    seen = cv2.warpPerspective(
        work, bend, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    return np.asarray(seen, np.uint8)
