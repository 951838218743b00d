"""What interpolation alone makes of hidden pixels: the yardsticks beside every model."""

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput, shown
from workbench.fills import FILLS

# Recipes; {patch} is the side of the model's patches in pixels.
BASELINES = {
    "mean": "mean()",
    "nearest": 'neighbour(method="nearest", patch={patch})',
    "harmonic": 'neighbour(method="harmonic")',
    "telea": 'neighbour(method="telea")',
}


def baseline(
    name: str, image: NDArray[np.float32], hidden: NDArray[np.bool_], patch: int
) -> NDArray[np.float32]:
    """Fill the hidden pixels of one picture from its visible pixels.

    Args:
        name: "mean" (mean visible colour), "nearest" (nearest wholly visible patch, copied),
            "harmonic" (Laplace's equation) or "telea" (OpenCV).
        image: float32 [3, h, w] in [0, 1].
        hidden: bool [h, w].
        patch: side of a patch in pixels.

    Returns:
        float32 [3, h, w]: the composite.

    Raises:
        BadInput: an unknown name.
    """
    if name not in BASELINES:
        raise BadInput(f"{shown(name)} is no baseline; choose one of: {', '.join(BASELINES)}")
    fill = FILLS.parse(BASELINES[name].format(patch=patch))
    return fill.apply(image[None], hidden[None])[0]
