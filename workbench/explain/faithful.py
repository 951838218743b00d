"""Whether a map of one picture foretells what its network says: ROAD, and sums over lost cells."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from workbench.explain.judging import Cells
from workbench.explain.removal import BATCH, Removal, removal, stretched
from workbench.models.network import network_of

SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)


@dataclass(frozen=True, eq=False)
class Road:
    """Probability of the class with a share of the cells imputed, means over draws.

    `most` has the most relevant cells imputed first, `least` the least relevant. `combined` is the
    mean of (least - most) / 2: higher is better, 0 for a map that knows nothing.
    """

    shares: NDArray[np.float64]
    most: NDArray[np.float64]
    least: NDArray[np.float64]

    @property
    def combined(self) -> float:
        """As ROADCombined of pytorch-grad-cam: -1/2 to 1/2."""
        return float((self.least - self.most).mean() / 2)


def road_of(
    model: Any,
    image: NDArray[np.float32],
    target: int,
    values: Cells,
    shares: Sequence[float] = SHARES,
    *,
    draws: int = 3,
    noise: float = 0.01,
    seed: int = 0,
    batch: int = BATCH,
) -> Road:
    """ROAD (arXiv:2202.00449) of one picture: `judging.road` has the accuracy over many.

    Args:
        model: whatever `network_of` understands.
        image: float32 [3, h, w] in [0, 1].
        target: class.
        values: [rows, cols], one number a cell.
        shares: of the cells that are imputed.
        draws: of the noise on imputed pixels; the probability is the mean.
        noise: its spread in [0, 1] pixels.
        seed: of the noise, the same for both orders.
        batch: pictures at a time at most.
    """
    from workbench.fills import FILLS

    network, fill = network_of(model), FILLS.parse("neighbour")
    counts = np.array([int(share * values.size + 0.5) for share in shares])
    found: list[NDArray[np.float64]] = []
    for sign in (-1, 1):
        order = np.argsort(sign * values.ravel(), kind="stable")
        ranks = order.argsort().reshape(values.shape)
        hidden = stretched(ranks[None] < counts[:, None, None], image.shape[1:])
        many = np.broadcast_to(image, (len(counts), *image.shape)).astype(np.float32)
        filled = fill.apply(many, hidden).repeat(draws, axis=0)
        gone = hidden.repeat(draws, axis=0)[:, None]
        rng = np.random.default_rng(seed)
        loud = filled + gone * rng.normal(0, noise, filled.shape)
        seen = np.clip(loud, 0, 1).astype(np.float32)
        said: list[NDArray[np.float64]] = []
        with torch.no_grad():
            for first in range(0, len(seen), batch):
                scores = network.shares(network.logits(seen[first : first + batch]))
                said.append(scores[:, target].double().cpu().numpy())
        found.append(np.concatenate(said).reshape(len(counts), draws).mean(1))
    return Road(counts / values.size, found[0], found[1])


@dataclass(frozen=True, eq=False)
class Falls:
    """What random sets of cells are worth: `hidden` bool [n, rows, cols], `falls` [n] in scores."""

    hidden: NDArray[np.bool_]
    falls: NDArray[np.float64]


def random_falls(
    model: Any,
    image: NDArray[np.float32],
    target: int,
    shape: tuple[int, int],
    operator: str | Removal = "grey",
    *,
    draws: int = 40,
    most: float = 0.5,
    seed: int = 0,
    batch: int = BATCH,
) -> Falls:
    """How far the score of the class falls without random sets of cells.

    Args:
        model: whatever `network_of` understands.
        image: float32 [3, h, w] in [0, 1].
        target: class.
        shape: rows and columns of the cells.
        operator: how they are removed.
        draws: how many sets.
        most: largest share of the cells in a set; sizes are uniform from one cell on.
        seed: of the sets.
        batch: pictures at a time at most.
    """
    network, cells = network_of(model), int(np.prod(shape))
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, max(2, int(most * cells) + 1), draws)
    ranks = rng.random((draws, cells)).argsort(1).argsort(1)
    hidden = (ranks < sizes[:, None]).reshape(draws, *shape)
    said = removal(operator).logits(network, image, hidden, batch=batch)[:, target].double()
    with torch.no_grad():
        whole = network.logits(image[None])[0, target].double().cpu()
    return Falls(hidden, (whole - said).numpy())


def infidelity_of(values: Cells, seen: Falls) -> float:
    """Share of the falls that sums of the map over the lost cells do not foretell, 0 to 1.

    Infidelity with square removals (Yeh et al., arXiv:1901.09392), E[(b sum(map) - fall)^2] over
    E[fall^2], with the best scale b >= 0, as `captum.metrics.infidelity(normalize=True)` has it,
    because maps come in units of their own. 0 is perfect; 1 tells nothing, or the contrary.
    """
    sums = (seen.hidden * values).sum((1, 2), dtype=np.float64)
    size, along = float(sums @ sums), float(sums @ seen.falls)
    scale = max(along / size, 0.0) if size else 0.0
    whole = float(seen.falls @ seen.falls)
    return float(np.square(scale * sums - seen.falls).sum()) / whole if whole else 0.0
