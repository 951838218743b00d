"""How much the shape of what was removed tells by itself (mask-shape leakage)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from workbench.errors import BadInput
from workbench.evaluations.evaluation import Features, Score
from workbench.evaluations.linear_probe import LinearProbe
from workbench.explain.removal import Removal, removal
from workbench.models.network import network_of


def shape_leak(
    model: Any,
    silhouettes: NDArray[np.bool_],
    labels: NDArray[np.int64],
    backgrounds: NDArray[np.float32],
    operators: Sequence[str | Removal],
    *,
    batch: int = 16,
) -> dict[str, Score]:
    """Tell an object's class from where it was cut out, and nothing else.

    Each silhouette is removed from a background that does not show its object, and a linear probe
    reads the class of the silhouette from what the network then says. Chance means that removing
    left no trace of the shape; Balasubramanian and Feizi (arXiv:2211.14646) show that it does.
    Every other silhouette trains the probe, the rest test it.

    Args:
        model: whatever `network_of` understands.
        silhouettes: bool [n, rows, cols], True = removed, on cells.
        labels: int64 [n], classes of the objects.
        backgrounds: float32 [n, 3, h, w] in [0, 1] of other content than the objects.
        operators: ways of removing.
        batch: pictures at a time at most.

    Raises:
        BadInput: fewer than two classes, or counts that do not fit.
    """
    if len({len(silhouettes), len(labels), len(backgrounds)}) > 1 or len(np.unique(labels)) < 2:
        raise BadInput(
            f"{len(silhouettes)} silhouettes, {len(labels)} labels and {len(backgrounds)} "
            "backgrounds were given, wanted as many of each and two classes at least."
        )
    network = network_of(model)
    found: dict[str, Score] = {}
    for each in map(removal, operators):
        each.check(network)
        parts: list[torch.Tensor] = []
        with torch.no_grad():
            for first in range(0, len(labels), batch):
                at = slice(first, first + batch)
                parts.append(each.each(network, backgrounds[at], silhouettes[at]).float().cpu())
        values = torch.cat(parts).numpy()
        train, test = (Features(values[half::2], labels[half::2]) for half in (0, 1))
        found[str(each)] = LinearProbe().score(train, test, int(labels.max()) + 1)
    return found
