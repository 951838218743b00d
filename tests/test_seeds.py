import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import BadInput
from workbench.seeds import Noise, hashed, whole

MASK32 = (1 << 32) - 1
MASK64 = (1 << 64) - 1


def _scramble(word):
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & MASK64
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & MASK64
    return word ^ (word >> 31)


def _one_cell(seed, step, index, stream, cell):
    """The definition, one cell at a time in Python's integers."""
    golden = 0x9E3779B97F4A7C15
    base = _scramble((seed + golden) & MASK64)
    base = _scramble((base ^ (step * 0xD1342543DE82EF95)) & MASK64)
    base = _scramble(((base ^ (stream * 0xAEF17502108EF2D9)) + golden) & MASK64)
    key = _scramble((base + index * golden) & MASK64)
    word = (cell * 0x9E3779B1 & MASK32) ^ (key & MASK32)
    word = (word ^ word >> 16) * 0x7FEB352D & MASK32
    word = ((word ^ word >> 15) + (key >> 32)) * 0x846CA68B & MASK32
    return word ^ word >> 16


SEED = st.integers(0, 1 << 62)


@given(SEED, SEED, st.integers(0, 1 << 61), st.integers(0, 1 << 20), st.integers(0, 1 << 31))
def test_the_vectorised_hash_is_the_written_one(seed, step, index, stream, cell):
    noise = Noise(seed, step, index, 3)
    wanted = [
        [_one_cell(seed, step, index + i, stream, cell + j) for j in (0, 1)] for i in range(3)
    ]
    assert noise.bits(2, stream, start=cell).tolist() == wanted


@given(SEED, st.integers(0, 1000), st.integers(1, 300), st.integers(1, 70), st.data())
def test_a_row_does_not_know_its_batch(seed, first, count, cells, data):
    row = data.draw(st.integers(0, count - 1))
    many, one = Noise(seed, 5, first, count), Noise(seed, 5, first + row, 1)
    for draw in ("bits", "uniform", "normal"):
        assert np.array_equal(getattr(many, draw)(cells)[row], getattr(one, draw)(cells)[0])
    assert np.array_equal(many.rows(row, count).bits(cells), many.bits(cells)[row:])


def test_cells_of_a_row_are_distinct():
    bits = Noise(seed=3, count=4).bits(1 << 18)
    assert all(len(np.unique(row)) == 1 << 18 for row in bits)


def test_numbers_are_uniform_and_normal():
    noise = Noise(seed=1, step=2, count=2_000)
    uniform = noise.uniform(500).ravel()
    assert 0 <= uniform.min() and uniform.max() < 1
    share = np.histogram(uniform, 100, (0, 1))[0] / uniform.size
    assert np.abs(share - 0.01).max() < 5 * np.sqrt(0.01 * 0.99 / uniform.size)
    normal = noise.normal(501)
    assert normal.dtype == np.float32 and normal.shape == (2_000, 501)
    moments = [float((normal.astype(float) ** power).mean()) for power in (1, 2, 3, 4)]
    assert moments == pytest.approx([0, 1, 0, 3], abs=0.02)
    left, right = normal[:, 0:500:2].ravel(), normal[:, 1:500:2].ravel()
    assert abs(np.corrcoef(left, right)[0, 1]) < 5 / np.sqrt(left.size)


@pytest.mark.parametrize("what", ["cell", "index", "step", "seed", "stream"])
def test_neighbouring_inputs_give_unrelated_bits(what):
    """Every output bit flips for half of the pairs, and no two bits flip together."""
    n = 20_000
    if what == "cell":
        bits = Noise(count=n).bits(2)
        left, right = bits[:, 0], bits[:, 1]
    elif what == "index":
        left, right = Noise(count=n).bits(1)[:, 0], Noise(first=1, count=n).bits(1)[:, 0]
    else:
        rows = range(n // 100)
        make = {
            "seed": lambda i: (Noise(2 * i, count=100), Noise(2 * i + 1, count=100), 0),
            "step": lambda i: (Noise(0, 2 * i, count=100), Noise(0, 2 * i + 1, count=100), 0),
            "stream": lambda i: (Noise(i, count=100), Noise(i, count=100), 1),
        }[what]
        pairs = [make(i) for i in rows]
        left = np.concatenate([a.bits(1)[:, 0] for a, _, _ in pairs])
        right = np.concatenate([b.bits(1, stream)[:, 0] for _, b, stream in pairs])
    flips = ((left ^ right)[:, None] >> np.arange(32, dtype=np.uint32) & 1).astype(float)
    sigma = 0.5 / np.sqrt(n)
    assert np.abs(flips.mean(axis=0) - 0.5).max() < 5 * sigma
    together = np.corrcoef(flips.T) - np.eye(32)
    assert np.abs(together).max() < 6 / np.sqrt(n)


@pytest.mark.parametrize("lag", [1, 2, 3, 14, 16, 196])
def test_cells_are_uncorrelated_at_any_lag(lag):
    uniform = Noise(seed=9, count=1_000).uniform(400) - 0.5
    left, right = uniform[:, :-lag].ravel(), uniform[:, lag:].ravel()
    assert abs((left * right).mean() * 12) < 5 / np.sqrt(left.size)


def test_keys_make_the_noise():
    noise = Noise(4, 5, 6, 7)
    assert np.array_equal(hashed(noise.keys(2), 9, 3), noise.bits(9, stream=2, start=3))


def test_another_process_sees_the_same_noise():
    code = "from workbench.seeds import Noise; print(Noise(1, 2, 3, 2).bits(3, 4).tolist())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(Noise(1, 2, 3, 2).bits(3, 4).tolist())


@pytest.mark.parametrize("value", [-1, 1.5, "3", None, True, 1 << 63])
def test_a_seed_is_a_whole_number(value):
    with pytest.raises(BadInput, match=r"seed is .*, but must be a whole number from 0"):
        Noise(seed=value)


def test_whole_takes_what_counts_as_an_integer():
    assert whole("x", np.int64(3), 0, 5) == 3
    with pytest.raises(BadInput, match="x is 6, but must be a whole number from 0 to 5"):
        whole("x", 6, 0, 5)
