"""Groups of patches that look alike to an encoder: k-means, and cuts of their graph."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
ROUNDS = 40
WEAK = 1e-5


def kmeans(points: Floats, k: int) -> NDArray[np.int64]:
    """Label points [n, d] by their nearest of k centres, int64 [n]; nothing in it is random.

    Centres start far from each other: the first is the point nearest to the mean, each next one
    the point farthest from those before. Labels are numbered by where they first occur.
    """
    k = min(k, len(points))
    centres = [points[np.square(points - points.mean(axis=0)).sum(axis=1).argmin()]]
    distance = np.square(points - centres[0]).sum(axis=1)
    for _ in range(k - 1):
        centres.append(points[distance.argmax()])
        distance = np.minimum(distance, np.square(points - centres[-1]).sum(axis=1))
    middle = np.stack(centres)
    labels = np.full(len(points), -1)
    for _ in range(ROUNDS):
        far = np.square(points).sum(axis=1)[:, None] - 2 * points @ middle.T
        found = (far + np.square(middle).sum(axis=1)).argmin(axis=1)
        if (found == labels).all():
            break
        labels = found
        for number in np.unique(labels):
            middle[number] = points[labels == number].mean(axis=0)
    return by_first(labels)


def by_first(labels: NDArray[Any]) -> NDArray[np.int64]:
    """Number labels 0, 1, ... by where they first occur.

    >>> by_first(np.array([7, 7, 2, 7, 4])).tolist()
    [0, 0, 1, 0, 2]
    """
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


def normalised_cut(features: Floats, tau: float) -> Floats:
    """The vector that halves a graph of patches (Shi and Malik), float64 [n].

    Patches are tied by 1 where their cosine is at least `tau`, else by 1e-5, as TokenCut ties them.
    Its sign is settled: the strongest entry is positive.
    """
    ties = np.where(features @ features.T >= tau, 1.0, WEAK)
    root = 1 / np.sqrt(ties.sum(axis=1))
    symmetric = np.eye(len(ties)) - root[:, None] * ties * root
    second = root * np.linalg.eigh(symmetric)[1][:, 1]
    return second if second[np.abs(second).argmax()] > 0 else -second


def discovered(features: Floats, shape: tuple[int, int], tau: float, most: int) -> Floats:
    """Find up to `most` objects one after another, labels [rows, cols], 0 = background.

    Each is the connected piece around the seed (the strongest entry of the cut) on its side of the
    mean, after which its patches leave the graph. A first side that holds most of the picture's
    border is taken for the background, and the other side for the object. The search ends with
    fewer than 4 patches left, or where a later object would be most of what is left or border.
    """
    from scipy.ndimage import label

    left = np.ones(shape, bool)
    found = np.zeros(shape)
    for number in range(1, most + 1):
        if left.sum() < 4:
            break
        cut = np.full(shape, -np.inf)
        vector = normalised_cut(features[left.ravel()], tau)
        if number == 1 and mostly_border((vector > vector.mean()).reshape(shape)):
            vector = -vector
        cut[left] = vector
        side = left & (cut > vector.mean())
        pieces: Any = label(side)[0]  # pyright: ignore[reportIndexIssue]
        piece = pieces == pieces[np.unravel_index(int(cut.argmax()), shape)]
        if number > 1 and (piece.sum() > left.sum() / 2 or mostly_border(piece)):
            break
        found[piece] = number
        left &= ~piece
    return found


def mostly_border(piece: NDArray[np.bool_]) -> bool:
    """Whether a piece holds more than half of the patches along the picture's border."""
    edge = np.ones(piece.shape, bool)
    edge[1:-1, 1:-1] = False
    return bool(piece[edge].mean() > 0.5)
