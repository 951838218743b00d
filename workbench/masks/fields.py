"""Random fields: white noise shaped by a gain over frequency, to be ranked to an exact count."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.masks.lattice import Grid
from workbench.seeds import Noise

Gain = Callable[[NDArray[np.float64]], NDArray[np.float64]]
DENSE_CELLS = 256  # up to here one matrix product is faster than a larger field and its transforms
FLOOR = 1e-5  # of white noise beside a variance of 1: keeps the matrix root well conditioned
LOUDEST = 510  # of the integer noise


def shaped(grid: Grid, noise: Noise, gain: Gain, margin: int) -> NDArray[np.float32]:
    """Return filtered white noise up to a constant a field, float32 [noise.count, grid.size].

    The noise is that of a periodic field at least `margin` cells longer than the grid on every axis
    that has more than one cell; the grid is cut out of it, so that opposite edges are not
    neighbours. `gain` maps the frequency in cycles a cell to an amplitude.
    """
    sizes = tuple(_fast(side + margin) if side > 1 else 1 for side in grid.shape)
    amplitude = gain(_frequency(sizes))
    if grid.size <= DENSE_CELLS:
        return correlated(grid, noise, sizes, amplitude)
    return filtered(grid, noise, sizes, amplitude)


def filtered(
    grid: Grid, noise: Noise, sizes: tuple[int, ...], amplitude: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Filter white noise on the whole field by its Fourier transform, then cut the grid out."""
    axes = tuple(range(1, len(sizes) + 1))
    bits = noise.bits(int(np.prod(sizes)))
    white = bits * np.float32(2.0**-32) - np.float32(0.5)
    spectrum: NDArray[Any] = np.fft.rfftn(white.reshape(-1, *sizes), axes=axes)
    spectrum *= amplitude.astype(np.float32)
    field = np.fft.irfftn(spectrum, s=sizes, axes=axes)
    cut = (slice(None), *(slice(side) for side in grid.shape))
    return field[cut].astype(np.float32).reshape(noise.count, -1)


def correlated(
    grid: Grid, noise: Noise, sizes: tuple[int, ...], amplitude: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Multiply white noise on the grid alone by the root of the covariance that filtering gives.

    Noise and root are whole numbers whose sums stay below 2^24, so that the product is exact: the
    same to the bit whatever the batch, the order of summation and the processor. Less than one
    level of the noise is added at the end, so that cells hardly ever tie.
    """
    root, level = _root(grid.shape, sizes, amplitude.tobytes())
    octets = noise.bits(grid.size)  # the sum of four bytes is close to normal
    pairs = (octets & np.uint32(0x00FF00FF)) + ((octets >> np.uint32(8)) & np.uint32(0x00FF00FF))
    white = ((pairs >> np.uint32(16)) + (pairs & np.uint32(0xFFFF))).astype(np.float32)
    white -= np.float32(LOUDEST)
    field = white @ root
    octets *= np.uint32(0x9E3779B1)
    octets >>= np.uint32(32 - level)
    field += octets
    return field


@lru_cache(maxsize=32)
def _root(
    shape: tuple[int, ...], sizes: tuple[int, ...], amplitude: bytes
) -> tuple[NDArray[np.float32], int]:
    """Return the symmetric root of the grid's covariance in whole numbers, float32 [size, size].

    Beside it, how many bits of noise stay below what one level of a cell does to itself.
    """
    half = (*sizes[:-1], sizes[-1] // 2 + 1)
    power = np.frombuffer(amplitude).reshape(half) ** 2
    covariance = np.fft.irfftn(power, s=sizes, axes=tuple(range(len(sizes))))
    cells = np.indices(shape).reshape(len(shape), -1)
    apart = np.abs(cells[:, :, None] - cells[:, None])
    matrix = covariance[tuple(apart)]
    # what all cells have in common moves no rank, but would take room from what differs
    matrix = matrix - matrix.mean(axis=0) - matrix.mean(axis=1)[:, None] + matrix.mean()
    variance = float(np.trace(matrix)) / len(matrix)
    variance = variance if variance > 1e-14 * power.max() else 1.0  # nothing but the floor is left
    values, vectors = np.linalg.eigh(matrix / variance + FLOOR * np.eye(len(matrix)))
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    loudest = np.abs(root).sum(axis=0).max() * LOUDEST
    scale = (2**24 - len(root) * LOUDEST) / (loudest + root.max())  # rounding and ties included
    whole = np.rint(root * scale).astype(np.float32)
    whole.setflags(write=False)
    return whole, int(whole.diagonal().min()).bit_length() - 1


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
