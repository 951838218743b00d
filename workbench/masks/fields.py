"""Random fields: white noise shaped in the frequency domain, ranked to an exact count."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.masks.lattice import Grid
from workbench.seeds import Noise

Gain = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def shaped(grid: Grid, noise: Noise, gain: Gain, margin: int) -> NDArray[np.float32]:
    """Return filtered white noise, float32 [noise.count, grid.size].

    The noise is uniform white noise on a periodic field at least `margin` cells longer than the
    grid on every axis that has more than one cell; the grid is cut out of it, so that opposite
    edges are not neighbours. `gain` maps the frequency in cycles a cell to an amplitude.
    """
    sizes = tuple(_fast(side + margin) if side > 1 else 1 for side in grid.shape)
    axes = tuple(range(1, len(sizes) + 1))
    bits = noise.bits(int(np.prod(sizes)))
    white = bits * np.float32(2.0**-32) - np.float32(0.5)
    spectrum: NDArray[Any] = np.fft.rfftn(white.reshape(-1, *sizes), axes=axes)
    spectrum *= gain(_frequency(sizes)).astype(np.float32)
    for axis, side in zip(axes[:-1], grid.shape, strict=False):  # cut before the next axis is done
        spectrum = np.fft.ifft(spectrum, axis=axis).swapaxes(0, axis)[:side].swapaxes(0, axis)
    field = np.fft.irfft(spectrum, sizes[-1], axis=axes[-1])[..., : grid.cols]
    return field.astype(np.float32).reshape(noise.count, -1)


def _frequency(sizes: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the length of the frequency vector in cycles a cell, on the half spectrum."""
    axes = [np.fft.fftfreq(side) for side in sizes[:-1]] + [np.fft.rfftfreq(sizes[-1])]
    squares = np.meshgrid(*(axis**2 for axis in axes), indexing="ij", sparse=True)
    return np.sqrt(sum(squares[1:], start=squares[0]))


def _fast(side: int) -> int:
    """Return the smallest number from `side` on whose prime factors are 2, 3 and 5."""
    while True:
        rest = side
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return side
        side += 1
