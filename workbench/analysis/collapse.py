"""Whether features still differ from picture to picture, or have collapsed to one answer."""

import numpy as np
from numpy.typing import NDArray


def spread(values: NDArray[np.floating]) -> float:
    """Return how far apart directions of features are: 0 where all are equal, 1 where isotropic.

    The standard deviation of each of the d coordinates of features of length 1, averaged, times
    sqrt(d) (Chen and He, SimSiam, arXiv:2011.10566, section 4.1). A large common mean makes it
    small too: read it beside `effective_rank`.

    Args:
        values: [n, d].
    """
    long = np.asarray(values, np.float64)
    long = long / np.maximum(np.linalg.norm(long, axis=1, keepdims=True), 1e-12)
    return float(long.std(0).mean() * np.sqrt(long.shape[1]))


def effective_rank(values: NDArray[np.floating]) -> float:
    """Return exp of the entropy of the normalised singular values of centred features, 1 to d.

    O. Roy and M. Vetterli, The effective rank (2007); the measure of RankMe (arXiv:2210.02885) but
    for the centring, without which one large mean hides what is left. 0 where nothing differs.

    Args:
        values: [n, d].
    """
    centred = np.asarray(values, np.float64)
    centred = centred - centred.mean(0)
    found = np.sqrt(np.maximum(np.linalg.eigvalsh(centred.T @ centred), 0))
    # Rounding of the mean leaves this much where all rows are equal.
    if found.max() <= 1e-9 * max(1e-300, float(np.linalg.norm(np.asarray(values, np.float64)))):
        return 0.0
    share = found[found > 0] / found.sum()
    return float(np.exp(-(share * np.log(share)).sum()))
