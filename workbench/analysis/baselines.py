"""What interpolation alone makes of hidden pixels: the yardsticks beside every model."""

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput, shown
from workbench.fills import FILLS

# "nearest" continues the facing edge of the nearest visible patch. Copying that patch as a whole,
# neighbour(method="nearest", patch=...), is much worse: it would be too easy to beat.
BASELINES = {
    "mean": "mean()",
    "nearest": 'neighbour(method="nearest")',
    "harmonic": 'neighbour(method="harmonic")',
    "telea": 'neighbour(method="telea")',
}


def baseline(
    name: str, image: NDArray[np.float32], hidden: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Fill the hidden pixels of one picture from its visible pixels.

    Args:
        name: "mean" (mean visible colour), "nearest" (the nearest visible patch, by its nearest
            pixel), "harmonic" (Laplace's equation) or "telea" (OpenCV's inpainting).
        image: float32 [3, h, w] in [0, 1].
        hidden: bool [h, w].

    Returns:
        float32 [3, h, w]: the composite.

    Raises:
        BadInput: an unknown name.
    """
    if name not in BASELINES:
        raise BadInput(f"{shown(name)} is no baseline; choose one of: {', '.join(BASELINES)}")
    return FILLS.parse(BASELINES[name]).apply(image[None], hidden[None])[0]
