"""Multifaceted feature visualisation: the several things that one unit answers to."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from workbench.errors import BadInput
from workbench.features.units import Unit, values_of
from workbench.models.precision import threads_for

COMPONENTS, NEAREST = 50, 15
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Facet:
    """A group among the pictures that excite a unit most.

    `rows` are the numbers of its pictures, nearest to the centre first, `start` their mean, float32
    [3, h, w]. `image` is what the search made of it, and `value` the unit there; before a search
    these are the start and its value.
    """

    rows: NDArray[np.int64]
    start: Floats
    image: Floats
    value: float


def find_facets(
    unit: Unit,
    images: Floats,
    codes: NDArray[np.floating[Any]],
    *,
    count: int = 4,
    top: int = 100,
    seed: int = 0,
    values: NDArray[np.float32] | None = None,
) -> list[Facet]:
    """Group the pictures that excite a unit most, and take the mean of each group.

    Nguyen, Yosinski, Clune, Multifaceted Feature Visualization (arXiv:1602.03616, official code
    Evolving-AI-Lab/mfv): top pictures, codes of a layer, PCA to 50 numbers, k-means, mean of the 15
    pictures nearest to each centre. Their t-SNE before k-means is left out: it is for looking at,
    and makes groups depend on its draws.

    Args:
        unit: maps pictures [b, 3, h, w] to [b].
        images: float32 [n, 3, h, w] in [0, 1].
        codes: [n, d], what a layer makes of them.
        count: groups at most.
        top: pictures to group.
        seed: of k-means.
        values: float32 [n] of the unit on the pictures, where they are known already.

    Returns:
        Facets, the largest group first.

    Raises:
        BadInput: fewer pictures than groups, or codes of another number.
    """
    if len(images) != len(codes) or not 1 <= count <= min(top, len(images)):
        raise BadInput(
            f"{len(images)} pictures, {len(codes)} codes and {count} facets of the top {top}; give "
            "a code a picture and fewer facets than pictures."
        )
    from sklearn.cluster import KMeans

    values = values_of(unit, images).numpy() if values is None else values
    best = np.argsort(-values, kind="stable")[:top]
    flat = codes[best].reshape(len(best), -1).astype(np.float64)
    flat = flat - flat.mean(0)
    u, s, _ = np.linalg.svd(flat, full_matrices=False)
    points = (u * s)[:, :COMPONENTS]
    kmeans: Any = KMeans
    groups = kmeans(count, n_init=10, random_state=seed).fit(points)
    found: list[Facet] = []
    for group, centre in enumerate(groups.cluster_centers_):
        mine = np.flatnonzero(groups.labels_ == group)
        if not len(mine):
            continue
        mine = mine[np.argsort(np.square(points[mine] - centre).sum(1), kind="stable")]
        start = images[best[mine[:NEAREST]]].mean(0)
        value = float(values_of(unit, start[None])[0])
        found.append(Facet(best[mine], start, start, value))
    return sorted(found, key=lambda each: -len(each.rows))


def visualise(
    unit: Unit,
    facet: Facet,
    *,
    steps: int = 200,
    lr: float = 0.02,
    smooth: float = 0.02,
    watch: Callable[[int, int], bool | None] | None = None,
) -> Facet:
    """Climb from the mean picture of a facet to one that the unit answers to most; see `climb`.

    `watch` is called with steps done and all, and ends the climb where it returns True.
    """
    image, done = facet.start, 0
    for made in climb(unit, facet.start, steps=steps, lr=lr, smooth=smooth):
        image, done = made, done + 1
        if watch is not None and watch(done, steps):
            break
    value = float(values_of(unit, image[None])[0])
    return Facet(facet.rows, facet.start, image, value)


def climb(
    unit: Unit,
    start: Floats,
    *,
    steps: int = 200,
    lr: float = 0.02,
    smooth: float = 0.02,
    work: float = 0,
) -> Iterator[Floats]:
    """A picture after each step towards one that a unit answers to most, float32 [3, h, w].

    Adam on pixels kept in [0, 1], a penalty on total variation, a slight blur every tenth step, and
    after the first third mostly the centre is changed (their centre-biased regularisation), so that
    one object is drawn and not many. The last tenth goes without blur.

    Args:
        unit: maps pictures [b, 3, h, w] to [b], differentiable.
        start: float32 [3, h, w] in [0, 1], where to begin.
        steps: updates.
        lr: of Adam, in [0, 1] pixels.
        smooth: weight of the mean total variation, in the unit's own spread along the search.
        work: multiply-adds of a step, roughly, which decide how many threads pay.
    """
    x = torch.from_numpy(start.copy())[None].requires_grad_(True)
    adam = torch.optim.Adam([x], lr, betas=(0.8, 0.99))
    centre = _centre(x.shape[2], x.shape[3])
    for at in range(steps):
        with torch.enable_grad(), threads_for(work):
            value = unit(x).sum()
            size = value.detach().abs().clamp_min(1e-6)
            loss = -value / size + smooth * _variation(x) * 10
            (gradient,) = torch.autograd.grad(loss, x)
        x.grad = gradient * centre if at > steps // 3 else gradient
        adam.step()
        with torch.no_grad():
            if at % 10 == 9 and at < steps * 0.9:
                x.copy_(_blurred(x))
            x.clamp_(0, 1)
        yield x.detach()[0].numpy().copy()


def _centre(height: int, width: int) -> Tensor:
    """Weights of the gradient: 1 in the middle, a tenth at the corners."""
    rows, cols = (torch.linspace(-1, 1, side) for side in (height, width))
    far = rows[:, None].square() + cols[None].square()
    return 0.1 + 0.9 * torch.exp(-far / (2 * 0.5**2))


def _variation(x: Tensor) -> Tensor:
    down, right = x.diff(dim=2), x.diff(dim=3)
    return down.abs().mean() + right.abs().mean()


def _blurred(x: Tensor, spread: float = 0.4) -> Tensor:
    at = torch.arange(-1, 2, dtype=x.dtype)
    weights = torch.exp(-at.square() / (2 * spread**2))
    kernel = torch.outer(weights, weights) / weights.sum() ** 2
    wide = F.pad(x, (1, 1, 1, 1), "replicate")
    return F.conv2d(wide, kernel.expand(x.shape[1], 1, 3, 3), groups=x.shape[1])
