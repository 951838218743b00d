"""Random fields: two ways to make them, one law, and the same bits everywhere."""

import math

import numpy as np
import pytest

from workbench.masks import MASKS, Grid, fields
from workbench.seeds import Noise

FIELDS = ['color_noise(color="red")', 'color_noise(color="blue")', "color_noise",
          'color_noise(color="purple")', "random_field"]  # fmt: skip


@pytest.mark.parametrize("recipe", FIELDS)
@pytest.mark.parametrize("shape", [(14, 14), (5, 21), (1, 40), (6, 5, 4)])
def test_small_grids_have_the_covariance_of_filtering(recipe, shape):
    """The matrix product on the grid alone and the filter on the whole field are one law."""
    gain = MASKS.parse(recipe)._gain
    grid = Grid(*shape) if len(shape) == 2 else Grid(*shape[1:], frames=shape[0])
    sizes = {2: tuple(50 if side > 1 else 1 for side in shape), 3: (10, 10, 10)}[len(shape)]
    amplitude = gain(fields._frequency(sizes))
    n = 3_000
    found = []
    for make, seed in ((fields.correlated, 1), (fields.filtered, 2)):
        field = make(grid, Noise(seed, count=n), sizes, amplitude).astype(np.float64)
        field -= field.mean(axis=1, keepdims=True)  # what all cells share moves no rank
        covariance = field.T @ field / n
        found.append(covariance / np.trace(covariance) * len(covariance))
    assert np.abs(found[0] - found[1]).max() < 7 * math.sqrt(2 * 2 / n)


def test_a_field_is_the_same_to_the_bit_in_any_order_of_summation():
    """Whole numbers below 2^24: single precision adds them without rounding."""
    for recipe in [*FIELDS, 'color_noise(color="white")', "random_field(slope=12)"]:
        gain, sizes = MASKS.parse(recipe)._gain, (32, 32)
        amplitude = gain(fields._frequency(sizes))
        root, level = fields._root((14, 14), sizes, amplitude.tobytes())
        assert (root == np.rint(root)).all() and level >= 6
        assert np.abs(root).sum(axis=0).max() * fields.LOUDEST + 2**level <= 2**24
        field = fields.correlated(Grid(14, 14), Noise(count=400), sizes, amplitude)
        assert (field == np.rint(field)).all()
        assert np.mean([len(np.unique(row)) < 196 for row in field]) < 0.1  # hardly any ties
