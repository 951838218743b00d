"""Random masks under which every patch is hidden, and visible, at least once."""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from workbench.seeds import Noise


def covering(n: int, ratio: float, rounds: int, seed: int) -> NDArray[np.bool_]:
    """Draw masks that share the work fairly, bool [masks, n], True = hidden.

    A round is a random circle of the patches on which a window of visible ones moves on in even
    steps until every patch was inside and outside: 4 masks at ratio 0.75, in which each patch is
    visible once. Each mask hides floor(ratio * n + 0.5) patches, but at least 1 and at most n - 1.

    Args:
        n: patches, 2 or more.
        ratio: share hidden.
        rounds: circles.
        seed: decides the circles.
    """
    hidden = int(Fraction(repr(ratio)) * n + Fraction(1, 2))
    visible = n - min(max(hidden, 1), n - 1)
    steps = max(-(-n // visible), -(-n // (n - visible)))
    masks = np.ones((rounds, steps, n), bool)
    for at in range(rounds):
        circle = np.argsort(Noise(seed, step=at).bits(n)[0])
        for step in range(steps):
            window = (step * n // steps + np.arange(visible)) % n
            masks[at, step, circle[window]] = False
    return masks.reshape(-1, n)
