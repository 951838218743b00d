"""How good an explanation is: removing what it names, ROAD, randomised weights, and agreement."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.explain.attribution import Attribution
from workbench.explain.removal import Removal, removal
from workbench.masks import Grid
from workbench.models.network import Network, network_of

Cells = NDArray[np.floating[Any]]
KINDS = ("deletion", "insertion")
DRAWN_ANEW = 20_181_008  # fresh networks are drawn from small seeds: theirs must not come again


@dataclass(frozen=True, eq=False)
class Curve:
    """Probability of the class against the share of cells that are gone, [steps + 1].

    `deletion` removes the highest values first, `insertion` shows them first: its first point has
    everything removed that can be. `area` is the mean height by the trapezoid rule.
    """

    kind: str
    operator: str
    shares: NDArray[np.float64]
    values: NDArray[np.float64]

    @property
    def area(self) -> float:
        """Area under the curve over the range of shares, divided by that range."""
        width = self.shares[-1] - self.shares[0]
        return float(np.trapezoid(self.values, self.shares) / width) if width else 0.0


def curves(
    model: Any,
    image: NDArray[np.float32],
    target: int,
    values: Cells,
    operators: Sequence[str | Removal] = ("black", "blur"),
    *,
    steps: int = 20,
    batch: int = 16,
) -> list[Curve]:
    """Deletion and insertion curves of a map, for each way of removing.

    Petsiuk et al. (arXiv:1806.07421). Values are ranked as they are, not by their size, and equal
    ones from the top left. Curves swing with the operator: always look at two or more, and at the
    curves of a random and a centred map.

    Args:
        model: whatever `network_of` understands.
        image: float32 [3, h, w] in [0, 1].
        target: class.
        values: [rows, cols], one number a cell; see `Attribution.cells`.
        operators: ways of removing; what cannot remove everything leaves the last cell.
        steps: points of a curve, at most one a cell.
        batch: pictures at a time at most.

    Returns:
        For each operator the deletion and the insertion curve.
    """
    network = network_of(model)
    return [
        curve(network, image, target, values, kind, each, steps=steps, batch=batch)
        for each in operators
        for kind in KINDS
    ]


def curve(
    model: Any,
    image: NDArray[np.float32],
    target: int,
    values: Cells,
    kind: str,
    operator: str | Removal,
    *,
    steps: int = 20,
    batch: int = 16,
) -> Curve:
    """One of the `curves`: `kind` is deletion or insertion."""
    network, cells, way = network_of(model), values.size, removal(operator)
    ranks = np.argsort(np.argsort(-values.ravel(), kind="stable")).reshape(values.shape)
    most = cells if way.paints else cells - 1
    counts = np.unique(np.linspace(0, most, min(steps, most) + 1).round().astype(int))
    gone = ranks if kind == "deletion" else cells - 1 - ranks
    hidden = gone[None] < counts[:, None, None]
    scores = way.logits(network, image, hidden, batch=batch)
    heights = network.shares(scores)[:, target].double().numpy()
    shares = counts / cells
    if kind == "insertion":  # from nothing to everything
        heights, shares = heights[::-1].copy(), (counts[-1] - counts[::-1]) / cells
    return Curve(kind, str(way), shares, heights)


def road(
    model: Any,
    pictures: NDArray[np.float32],
    targets: NDArray[np.int64],
    maps: Cells,
    shares: Sequence[float] = (0.1, 0.3, 0.5, 0.7, 0.9),
    *,
    first: str = "most",
    noise: float = 0.01,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Accuracy with the most (or least) relevant cells imputed, [shares].

    Rong et al., ROAD (arXiv:2202.00449): hidden pixels are filled by noisy linear imputation, so
    that the shape of what was removed tells little. Ours fills by the harmonic solution, which has
    their weights up to the diagonal neighbours, and adds Gaussian noise of spread `noise`.

    Args:
        model: whatever `network_of` understands.
        pictures: float32 [n, 3, h, w] in [0, 1].
        targets: int64 [n], the right classes.
        maps: [n, rows, cols].
        shares: of cells that are imputed.
        first: "most" or "least" relevant.
        noise: spread of the noise in [0, 1] pixels.
        seed: of the noise.
    """
    from workbench.explain.removal import stretched
    from workbench.fills import FILLS

    if first not in ("most", "least"):
        raise BadInput(f"first is {first!r}, wanted most or least.")
    network, fill = network_of(model), FILLS.parse("neighbour")
    sign = -1 if first == "most" else 1
    order = np.argsort(sign * maps.reshape(len(maps), -1), axis=1, kind="stable")
    ranks = order.argsort(1).reshape(maps.shape)
    rng = np.random.default_rng(seed)
    out: list[float] = []
    for share in shares:
        hidden = stretched(ranks < int(share * maps[0].size + 0.5), pictures.shape[2:])
        filled = fill.apply(pictures, hidden)
        loud = filled + hidden[:, None] * rng.normal(0, noise, pictures.shape)
        with torch.no_grad():
            said = network.logits(np.clip(loud, 0, 1).astype(np.float32)).argmax(1).cpu().numpy()
        out.append(float((said == targets).mean()))
    return np.array(out)


def rank_correlation(first: Cells, second: Cells) -> float:
    """Spearman's rho of two maps of one shape, -1 to 1; 0 where one of them is even.

    Raises:
        BadInput: other shapes.
    """
    if first.shape != second.shape:
        raise BadInput(
            f"the maps are {first.shape} and {second.shape}; bring both to one grid by cells()."
        )
    from scipy.stats import rankdata

    a, b = (rankdata(each.ravel()) - (each.size + 1) / 2 for each in (first, second))
    size = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum() / size) if size else 0.0


def overlap(values: Cells, painted: NDArray[np.bool_]) -> float:
    """IoU of a painted mask and as many of the highest cells as it holds, 0 to 1.

    Raises:
        BadInput: other shapes, or a mask that is empty.
    """
    if values.shape != painted.shape or not painted.any():
        raise BadInput(
            f"the map is {values.shape} and the mask {painted.shape} with {int(painted.sum())} "
            "cells; paint on the same grid."
        )
    top = np.zeros(values.size, bool)
    top[np.argsort(-values.ravel(), kind="stable")[: int(painted.sum())]] = True
    both = int((top & painted.ravel()).sum())
    return both / (2 * int(painted.sum()) - both)


@contextmanager
def randomised(model: Any, layers: int, seed: int = 0) -> Generator[Network]:
    """Draw the weights of the last `layers` parameterised layers anew, for the time of a block.

    Adebayo et al., Sanity Checks for Saliency Maps (arXiv:1810.03292), from the top down.
    Afterwards every weight is as it was, to the bit.
    """
    network = network_of(model)
    own = layers_of(network)
    chosen = own[len(own) - min(layers, len(own)) :]
    kept: list[tuple[Tensor, Tensor]] = []
    noise = torch.Generator().manual_seed(DRAWN_ANEW + seed)
    try:
        with torch.no_grad():
            for module in chosen:
                for weight in module.parameters(recurse=False):
                    kept.append((weight, weight.clone()))
                    weight.copy_(_drawn(weight, noise))
        yield network
    finally:
        with torch.no_grad():
            for weight, before in kept:
                weight.copy_(before)


def layers_of(model: Any) -> list[nn.Module]:
    """Modules that have weights of their own, the first ones first."""
    return [
        module
        for module in network_of(model).module.modules()
        if any(True for _ in module.parameters(recurse=False))
    ]


def _drawn(weight: nn.Parameter, noise: torch.Generator) -> Tensor:
    """Numbers of the same mean and spread as the weight had, so that signals keep their size."""
    fresh = torch.randn(weight.shape, generator=noise).to(weight)
    spread = weight.std() if weight.numel() > 1 else weight.new_zeros(())
    return fresh * spread + weight.mean()


def randomisation(
    model: Any, attribute: Any, layers: Sequence[int], grid: Grid, seed: int = 0
) -> list[float]:
    """Rank correlation of a map with that of the network whose last layers were drawn anew.

    Args:
        model: whatever `network_of` understands.
        attribute: called with the network, gives an `Attribution`.
        layers: how many of the last layers to draw anew, for each point.
        grid: cells on which maps are compared.
        seed: of the new weights.

    Returns:
        One correlation each; a method whose map stays the same does not look at the weights.
    """
    network = network_of(model)
    before: Attribution = attribute(network)
    out: list[float] = []
    for count in layers:
        with randomised(network, count, seed) as changed:
            after: Attribution = attribute(changed)
        out.append(rank_correlation(before.cells(grid), after.cells(grid)))
    return out


def fidelity(
    model: Any,
    found: Attribution,
    image: NDArray[np.float32],
    *,
    draws: int = 32,
    noise: float = 0.05,
    seed: int = 0,
) -> float:
    """Infidelity by captum: E[(noise . map - (score(x) - score(x - noise)))^2], lower is better.

    Yeh et al. (arXiv:1901.09392). The map is given per pixel and divided over the three colours.
    """
    from captum.metrics import infidelity

    network = network_of(model)
    height, width = image.shape[1:]
    cells = found.cells(Grid(height, width, patch=1))
    pixels = torch.from_numpy(np.broadcast_to(cells / 3, (1, 3, height, width)).copy())
    generator = torch.Generator().manual_seed(seed)

    def disturb(x: Tensor) -> tuple[Tensor, Tensor]:
        drawn = torch.randn(x.shape, generator=generator) * noise
        return drawn, x - drawn

    with torch.no_grad():
        value = infidelity(
            lambda x: network.logits(x)[:, found.target], disturb,
            torch.from_numpy(image)[None], pixels, n_perturb_samples=draws,
            max_examples_per_batch=8,
        )  # fmt: skip
    return float(value)


def sensitivity(first: Cells, again: Sequence[Cells]) -> float:
    """Largest relative change of a map under small changes of the picture (max-sensitivity).

    Args:
        first: the map of the picture.
        again: maps of pictures near it.
    """
    size = float(np.linalg.norm(first))
    return max(float(np.linalg.norm(each - first)) for each in again) / max(size, 1e-12)
