"""Stateless noise: a pure, vectorised function of (seed, step, image index, stream, cell)."""

import operator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput, shown

_GOLDEN = 0x9E3779B97F4A7C15
_WORD = (1 << 64) - 1
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_LIMIT = 1 << 62


def whole(name: str, value: object, low: int, high: int) -> int:
    """Return `value` as an int from `low` to `high` (inclusive).

    Raises:
        BadInput: not a whole number, or out of range.
    """
    try:
        number = operator.index(value)  # pyright: ignore[reportArgumentType]
    except TypeError:
        number = None
    if number is None or isinstance(value, bool) or not low <= number <= high:
        raise BadInput(
            f"{name} is {shown(value)}, but must be a whole number from {low} to {high}; "
            f"take for example {name.rpartition(' ')[2]}={low}."
        )
    return number


def _scramble(word: int) -> int:
    """SplitMix64's finaliser on one Python integer (Steele et al., OOPSLA 2014)."""
    word = ((word ^ (word >> 30)) * int(_MIX[0])) & _WORD
    word = ((word ^ (word >> 27)) * int(_MIX[1])) & _WORD
    return word ^ (word >> 31)


@lru_cache(maxsize=256)
def _base(seed: int, step: int, stream: int) -> np.uint64:
    word = _scramble((seed + _GOLDEN) & _WORD)
    word = _scramble((word ^ (step * 0xD1342543DE82EF95)) & _WORD)
    return np.uint64(_scramble((word ^ (stream * 0xAEF17502108EF2D9)) + _GOLDEN & _WORD))


@lru_cache(maxsize=64)
def _cells(start: int, n: int) -> NDArray[np.uint32]:
    cells = np.arange(start, start + n, dtype=np.uint64) * np.uint64(0x9E3779B1)
    return cells.astype(np.uint32)


@dataclass(frozen=True)
class Noise:
    """Noise for `count` images, the first of which has index `first`.

    Row i belongs to image index `first + i` alone: the same image has the same noise in a batch of
    any size, in any worker and on any machine. Cells of one row and stream carry distinct bits,
    because the hash is a bijection of the cell number: ordering them needs no tie-break.
    """

    seed: int = 0
    step: int = 0
    first: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        """Check the four numbers."""
        whole("seed", self.seed, 0, _LIMIT)
        whole("step", self.step, 0, _LIMIT)
        whole("first", self.first, 0, _LIMIT)
        whole("count", self.count, 1, 1 << 32)

    def rows(self, start: int, stop: int) -> "Noise":
        """Return the noise of rows start..stop-1."""
        return Noise(self.seed, self.step, self.first + start, stop - start)

    def branch(self, number: int) -> "Noise":
        """Return noise of its own for part `number` of a mask; part 0 has this noise."""
        if number == 0:
            return self
        seed = _scramble((self.seed + number * 0xD6E8FEB86659FD93) & _WORD) % _LIMIT
        return Noise(seed, self.step, self.first, self.count)

    def keys(self, stream: int = 0) -> NDArray[np.uint32]:
        """Return two 32-bit keys an image, uint32 [count, 2]."""
        index = np.arange(self.first, self.first + self.count, dtype=np.uint64)
        index *= np.uint64(_GOLDEN)
        index += _base(self.seed, self.step, stream)
        index ^= index >> np.uint64(30)
        index *= _MIX[0]
        index ^= index >> np.uint64(27)
        index *= _MIX[1]
        index ^= index >> np.uint64(31)
        return index.astype("<u8", copy=False).view("<u4").reshape(-1, 2)

    def bits(self, n: int, stream: int = 0, start: int = 0) -> NDArray[np.uint32]:
        """Return hashed bits of cells start..start+n-1, uint32 [count, n], distinct in a row."""
        return hashed(self.keys(stream), n, start)

    def uniform(self, n: int, stream: int = 0, start: int = 0) -> NDArray[np.float64]:
        """Return uniform numbers in [0, 1), float64 [count, n], multiples of 2^-32."""
        return self.bits(n, stream, start) * np.float64(2.0**-32)

    def normal(self, n: int, stream: int = 0) -> NDArray[np.float32]:
        """Return standard normal numbers, float32 [count, n] (Box-Muller on pairs of cells)."""
        pairs = (n + 1) // 2
        radius = self.uniform(pairs, stream) + 2.0**-33
        angle = self.uniform(pairs, stream, start=1 << 31) * (2 * np.pi)
        radius = np.sqrt(-2 * np.log(radius))
        both = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=2)
        return both.reshape(self.count, -1)[:, :n].astype(np.float32)


def hashed(
    keys: NDArray[np.uint32], n: int, start: int = 0, by_cell: bool = False
) -> NDArray[np.uint32]:
    """Return bits of cells start..start+n-1 under each key pair, uint32 [count, n].

    With `by_cell` the same numbers are laid out as [n, count].
    """
    cells, first, second = _cells(start, n), keys[:, :1], keys[:, 1:]
    if by_cell:
        cells, first, second = cells[:, None], first.T.copy(), second.T.copy()
    bits = cells ^ first
    shifted = bits >> np.uint32(16)
    bits ^= shifted
    bits *= np.uint32(0x7FEB352D)
    np.right_shift(bits, np.uint32(15), out=shifted)
    bits ^= shifted
    bits += second
    bits *= np.uint32(0x846CA68B)
    np.right_shift(bits, np.uint32(16), out=shifted)
    bits ^= shifted
    return bits
