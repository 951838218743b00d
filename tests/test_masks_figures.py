"""Occupancy, neighbour agreement and radial spectrum beside generators written from their papers.

The generators below are slow loops that follow the descriptions of BEiT and I-JEPA line by line;
they share nothing with the strategies but the numbers that come out.
"""

import math

import numpy as np
import pytest

from workbench.masks import MASKS, Grid

GRID = Grid(14, 14)
DRAWS = 4_000


def drawn(recipe: str, count: int = DRAWS) -> np.ndarray:
    return MASKS.parse(recipe).sample(GRID, count, seed=11).hidden


def agreement(cells: np.ndarray) -> float:
    """Share of equal neighbours."""
    return float(np.mean([(cells[:, 1:] == cells[:, :-1]).mean(),
                          (cells[:, :, 1:] == cells[:, :, :-1]).mean()]))  # fmt: skip


def radial(cells: np.ndarray) -> np.ndarray:
    """Shares of the power below 1/6, from 1/6 to 1/3 and above, of masks less their mean."""
    frequency = np.hypot(np.fft.fftfreq(14)[:, None], np.fft.fftfreq(14))
    centred = cells - cells.mean(axis=(1, 2), keepdims=True)
    power = (np.abs(np.fft.fft2(centred)) ** 2).mean(axis=0)
    return np.bincount(np.digitize(frequency, [1 / 6, 1 / 3]).ravel(), power.ravel()) / power.sum()


def beit(rng: np.random.Generator, goal: int, smallest: int = 16) -> np.ndarray:
    mask, missing = np.zeros((14, 14), bool), goal
    while missing > 0:
        for _ in range(10):
            area = smallest + rng.random() * (missing - smallest)  # either way round
            aspect = math.exp(rng.uniform(math.log(0.3), math.log(1 / 0.3)))
            height, width = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if height < 14 and width < 14:
                top, left = rng.integers(0, 14 - height + 1), rng.integers(0, 14 - width + 1)
                box = mask[top : top + height, left : left + width]
                new = box.size - np.count_nonzero(box)
                if 0 < new <= missing:
                    box[:] = True
                    missing -= new
                    break
        else:
            break
    return mask


def ijepa(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Context and targets of a batch of one, with the bugs of the official file."""
    share = rng.random()
    area, aspect = int(196 * (0.15 + share * 0.05)), 0.75 + share * 0.75
    height, width = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
    targets = np.zeros((4, 14, 14), bool)
    for target in targets:
        top, left = rng.integers(0, 14 - height), rng.integers(0, 14 - width)
        target[top : top + height, left : left + width] = True
    context = np.zeros((14, 14), bool)
    context[:13, :13] = True
    return context & ~targets.any(axis=0), targets


@pytest.fixture(scope="module")
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_random_is_flat_white_and_agrees_by_chance():
    hidden = drawn("random")
    chance = (147 * 146 + 49 * 48) / (196 * 195)
    assert agreement(hidden) == pytest.approx(chance, abs=0.002)
    assert hidden.mean(axis=0).ravel() == pytest.approx([0.75] * 196, abs=0.035)
    bins = np.digitize(
        np.hypot(np.fft.fftfreq(14)[:, None], np.fft.fftfreq(14)), [1 / 6, 1 / 3]
    ).ravel()[1:]  # without the constant
    assert radial(hidden) == pytest.approx(np.bincount(bins) / 195, abs=0.004)
    assert radial(hidden) == pytest.approx([0.10, 0.25, 0.65], abs=0.008)  # the card's white


def test_blocks_have_the_spectrum_and_agreement_of_beits(rng):
    loop = np.stack([beit(rng, 75) for _ in range(DRAWS)])
    assert loop[:, 6:8, 6:8].mean() == pytest.approx(0.72, abs=0.02)  # the card's centre
    assert loop[:, 0].mean() == pytest.approx(0.13, abs=0.01)
    for recipe, slack in ((f"block(ratio={75 / 196}, legacy=True)", 0), ("block(ratio=0.3827)", 1)):
        ours = drawn(recipe)
        assert radial(ours) == pytest.approx(radial(loop), abs=0.004 + 0.008 * slack)
        assert agreement(ours) == pytest.approx(agreement(loop), abs=0.003 + 0.008 * slack)
    assert radial(loop)[0] > 0.7 and agreement(loop) > 0.85  # far from random's .10 and .62


def test_legacy_multi_block_has_the_figures_of_ijepas(rng):
    pairs = [ijepa(rng) for _ in range(DRAWS)]
    context = np.stack([pair[0] for pair in pairs])
    targets = np.stack([pair[1] for pair in pairs])
    mask = MASKS.parse("multi_block(legacy=True, batch=1)").sample(GRID, DRAWS, seed=11)
    seen = ~mask.hidden
    assert context.sum(axis=(1, 2)).mean() == pytest.approx(81, abs=1)  # the card's mean context
    for ours, loop in ((seen, context), (mask.targets.any(axis=1), targets.any(axis=1))):
        assert ours.mean() == pytest.approx(loop.mean(), abs=0.006)
        assert np.abs(ours.mean(axis=0) - loop.mean(axis=0)).max() < 5 * math.sqrt(0.5 / DRAWS)
        assert agreement(ours) == pytest.approx(agreement(loop), abs=0.005)
        assert radial(ours) == pytest.approx(radial(loop), abs=0.012)
    assert not loop_reaches(context) and not loop_reaches(seen)
    assert loop_reaches(~drawn("multi_block"))


def loop_reaches(cells: np.ndarray) -> bool:
    """Whether the last row and column are ever set."""
    return bool(cells[:, -1].any() and cells[:, :, -1].any())


@pytest.mark.parametrize("color", ["white", "red", "blue", "green", "purple"])
def test_colours_agree_by_their_adjacency_and_occupy_evenly(color):
    """Visible pairs per visible patch, from the card, fix the agreement of neighbours."""
    adjacency = {"white": 0.46, "red": 1.19, "blue": 0.34, "green": 0.69, "purple": 0.27}[color]
    hidden = drawn(f'color_noise(color="{color}")')
    assert hidden.mean(axis=0).ravel() == pytest.approx([0.75] * 196, abs=0.05)
    # each of 49 patches has 4 * 13 / 14 neighbours on average; a pair counts once for each end
    unequal = 49 * (4 * 13 / 14 - 2 * adjacency) / (2 * 14 * 13)
    assert agreement(hidden) == pytest.approx(1 - unequal, abs=0.012)
