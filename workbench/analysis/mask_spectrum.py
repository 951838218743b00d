"""How the power of masks is spread over spatial frequencies."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LOW, HIGH = 1 / 6, 1 / 3


@dataclass(frozen=True)
class Spectrum:
    """The mean power of masks over the length of the frequency vector, in cycles a cell.

    Each mask's own mean is taken off first, so frequency 0 has no power. `low`, `middle` and `high`
    are the shares of the power below 1/6, below 1/3 and above (ColorMAE's colours are told apart by
    them); `frequency` and `density` are a curve over rings one step wide: mean power of the ring's
    frequencies over that of all, so that white noise is 1 throughout; `ring_sizes` are the numbers
    of frequencies in them. Shares are nan and the curve is nan where masks have no power.
    """

    low: float
    middle: float
    high: float
    frequency: Floats
    density: Floats
    ring_sizes: NDArray[np.int64]


def spectrum_of(power: Floats) -> Spectrum:
    """Sum up a mean power spectrum [rows, cols] as `np.fft.fft2` lays it out.

    The value at frequency 0 is left out.
    """
    length, ring, sizes = _rings(*power.shape)
    power = power.copy()
    power.flat[0] = 0.0
    total = power.sum()
    if total <= 0:
        empty = np.full(len(sizes), np.nan)
        return Spectrum(np.nan, np.nan, np.nan, _middles(length, ring, sizes), empty, sizes)
    bands = np.bincount(np.digitize(length.ravel(), [LOW, HIGH]), power.ravel(), 3) / total
    each = np.bincount(ring.ravel(), power.ravel(), len(sizes) + 1)[1:] / sizes
    density = each / (total / (power.size - 1))
    low, middle, high = (float(share) for share in bands)
    return Spectrum(low, middle, high, _middles(length, ring, sizes), density, sizes)


def power_of_pairs(pairs: Floats, rows: int, cols: int) -> Floats:
    """The mean power spectrum [rows, cols] from the mean product of every two cells.

    `pairs` is [n, n] with n = rows * cols: E |F(k)|^2 is the transform of the products summed over
    equal steps between cells, steps taken round the edge.
    """
    steps = np.bincount(_steps(rows, cols), pairs.ravel(), rows * cols)
    return np.fft.fft2(steps.reshape(rows, cols)).real


def power_of_masks(hidden: NDArray[np.bool_]) -> Floats:
    """The summed power spectrum [rows, cols] of bool [count, rows, cols]."""
    count, rows, cols = hidden.shape
    total, batch = np.zeros((rows, cols)), max(1, (1 << 20) // (rows * cols))
    for start in range(0, count, batch):
        waves = np.fft.rfft2(hidden[start : start + batch].astype(np.float32))
        half = np.square(np.abs(waves)).sum(axis=0, dtype=np.float64)
        total[:, : half.shape[1]] += half
    mirrored = np.roll(total[::-1, ::-1], 1, axis=(0, 1))
    total[:, cols // 2 + 1 :] = mirrored[:, cols // 2 + 1 :]
    return total


@lru_cache(maxsize=8)
def _steps(rows: int, cols: int) -> NDArray[np.int64]:
    row, col = np.divmod(np.arange(rows * cols), cols)
    down = (row[:, None] - row) % rows
    return (down * cols + (col[:, None] - col) % cols).ravel()


@lru_cache(maxsize=8)
def _rings(rows: int, cols: int) -> tuple[Floats, NDArray[np.int64], NDArray[np.int64]]:
    """Length of each frequency, the number of its ring (0 only for frequency 0), ring sizes."""
    length = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.fftfreq(cols))
    ring = np.maximum(np.rint(length * max(rows, cols)).astype(np.int64), 1)
    ring[0, 0] = 0
    dense = np.unique(ring, return_inverse=True)[1].reshape(ring.shape)  # no empty rings
    return length, dense, np.bincount(dense.ravel())[1:]


def _middles(length: Floats, ring: NDArray[np.int64], sizes: NDArray[np.int64]) -> Floats:
    return np.bincount(ring.ravel(), length.ravel(), len(sizes) + 1)[1:] / sizes
