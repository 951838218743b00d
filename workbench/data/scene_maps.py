"""Maps of drawn scenes as data sets hold them: kinds of things, depth, and pictures of both."""

import numpy as np
from numpy.typing import NDArray

from workbench.data.drawn_land import FAR
from workbench.data.drawn_things import KINDS
from workbench.data.scenes_drawn import DrawnScene, View

CLASSES = ("land", "sky", *KINDS)
# Okabe and Ito's colours and three more: told apart by most eyes, and as a target of colours
PALETTE = np.array(
    [
        (60, 90, 60), (86, 180, 233), (230, 159, 0), (0, 158, 115), (240, 228, 66), (0, 114, 178),
        (213, 94, 0), (204, 121, 167), (150, 150, 150), (140, 50, 50), (250, 250, 250),
    ],
    np.uint8,
)  # fmt: skip


def kinds(drawn: DrawnScene, view: View) -> NDArray[np.uint8]:
    """What every pixel shows, a number of `CLASSES`, uint8 [h, w]."""
    table = np.array([0, *(CLASSES.index(name) for name in drawn.names)], np.uint8)
    found = table[view.objects]
    return np.where((view.objects == 0) & (view.depth >= FAR), np.uint8(1), found)


def nearness(view: View) -> NDArray[np.float32]:
    """Depth from 0 (far) to 1 (near) in equal steps of its logarithm, float32 [h, w]."""
    return (1 - np.log(np.clip(view.depth, 1, FAR)) / np.log(FAR)).astype(np.float32)


def edges(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Strength of a picture's edges, uint8 [h, w]: Sobel's two differences of the grey picture."""
    grey = np.pad(image.astype(np.float32).mean(2), 1, mode="edge")
    smooth_down = grey[:-2] + 2 * grey[1:-1] + grey[2:]
    smooth_across = grey[:, :-2] + 2 * grey[:, 1:-1] + grey[:, 2:]
    across = smooth_down[:, 2:] - smooth_down[:, :-2]
    down = smooth_across[2:] - smooth_across[:-2]
    return np.minimum(np.hypot(across, down) / 2, 255).astype(np.uint8)
