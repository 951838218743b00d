"""Block masks against figures measured on BEiT's own generator."""

import dataclasses
import math

import numpy as np
import pytest
from scipy import ndimage

from workbench.errors import BadInput
from workbench.masks import MASKS, Grid
from workbench.masks.boxes import TABLE_LIMIT

# microsoft/unilm at 2312c6f, beit/masking_generator.py, 80,000 masks:
#   random.seed(0); MaskingGenerator(14, 75, min_num_patches=16)()
OFFICIAL_DRAWS = 80_000
OFFICIAL_COUNTS = {
    63: 1.25e-05, 64: 0.0001125, 65: 0.0001125, 66: 0.0004375, 67: 0.000375, 68: 0.001475,
    69: 0.001175, 70: 0.0086, 71: 0.0055, 72: 0.0352875, 73: 0.0494625, 74: 0.2320375,
    75: 0.6654125,
}  # fmt: skip
OFFICIAL_MEAN = 74.47135
# Share of masks that hide each patch of the upper left quarter, averaged over the eight symmetries.
OFFICIAL_OCCUPANCY = np.array([
    [0.0423, 0.0823, 0.1185, 0.1481, 0.1700, 0.1843, 0.1911],
    [0.0823, 0.1573, 0.2233, 0.2764, 0.3152, 0.3405, 0.3525],
    [0.1185, 0.2233, 0.3133, 0.3840, 0.4356, 0.4688, 0.4844],
    [0.1481, 0.2764, 0.3840, 0.4670, 0.5259, 0.5645, 0.5825],
    [0.1700, 0.3152, 0.4356, 0.5259, 0.5899, 0.6325, 0.6517],
    [0.1843, 0.3405, 0.4688, 0.5645, 0.6325, 0.6758, 0.6961],
    [0.1911, 0.3525, 0.4844, 0.5825, 0.6517, 0.6961, 0.7162],
])  # fmt: skip
OFFICIAL_AGREEMENT = 0.88985  # share of equal neighbours
OFFICIAL_PIECES = 1.433  # 4-connected pieces a mask (8,000 masks)

DRAWS = 80_000
LEGACY = MASKS.parse(f"block(ratio={75 / 196}, legacy=True)")
OURS = MASKS.parse(f"block(ratio={75 / 196})")


@pytest.fixture(scope="module")
def legacy():
    return LEGACY.sample(Grid(14, 14), DRAWS, seed=1).hidden


@pytest.fixture(scope="module")
def ours():
    return OURS.sample(Grid(14, 14), DRAWS, seed=1).hidden


def agreement(cells: np.ndarray) -> float:
    return float(np.mean([(cells[:, 1:] == cells[:, :-1]).mean(),
                          (cells[:, :, 1:] == cells[:, :, :-1]).mean()]))  # fmt: skip


def quarter(cells: np.ndarray) -> np.ndarray:
    often = cells.mean(axis=0)
    often = (often + often[::-1] + often[:, ::-1] + often[::-1, ::-1]) / 4
    return ((often + often.T) / 2)[:7, :7]


def test_legacy_counts_are_the_official_ones(legacy):
    counts = legacy.sum(axis=(1, 2))
    assert counts.max() == 75
    assert counts.mean() == pytest.approx(OFFICIAL_MEAN, abs=5 * math.sqrt(2 / DRAWS))
    share = np.bincount(counts, minlength=76) / DRAWS
    for count, official in OFFICIAL_COUNTS.items():
        sigma = math.sqrt(official * (1 - official) * (1 / DRAWS + 1 / OFFICIAL_DRAWS))
        assert share[count] == pytest.approx(official, abs=4.5 * sigma + 2 / DRAWS), count


def test_legacy_occupancy_is_the_official_one(legacy):
    often = legacy.mean(axis=0)
    assert often[6:8, 6:8].mean() == pytest.approx(0.72, abs=0.01)
    assert often[0].mean() == pytest.approx(0.13, abs=0.01)
    assert often[[0, 0, -1, -1], [0, -1, 0, -1]].mean() == pytest.approx(0.04, abs=0.005)
    sigma = np.sqrt(OFFICIAL_OCCUPANCY * (1 - OFFICIAL_OCCUPANCY) * 2 / DRAWS / 4)
    assert (np.abs(quarter(legacy) - OFFICIAL_OCCUPANCY) < 5 * sigma + 5e-5).all()
    for turned in (often[::-1], often[:, ::-1], often.T):
        assert np.abs(often - turned).max() < 6 * 0.5 * math.sqrt(2 / DRAWS)


def test_legacy_shape_is_the_official_one(legacy):
    assert agreement(legacy) == pytest.approx(OFFICIAL_AGREEMENT, abs=0.0007)
    pieces = np.mean([ndimage.label(cells)[1] for cells in legacy[:8_000]])
    assert pieces == pytest.approx(OFFICIAL_PIECES, abs=0.04)


def test_legacy_may_hide_nothing_where_no_rectangle_fits():
    mask = LEGACY.sample(Grid(1, 20), 20)
    assert LEGACY.promise == "free" and not mask.hidden.any()


def test_ours_is_exact_and_stays_close(ours):
    assert OURS.promise == "exact"
    assert (ours.sum(axis=(1, 2)) == 75).all()
    assert np.abs(quarter(ours) - OFFICIAL_OCCUPANCY).max() < 0.02
    assert agreement(ours) == pytest.approx(OFFICIAL_AGREEMENT, abs=0.01)


def test_ours_is_a_rectangle_where_one_is_enough():
    """Small ratios in one block: the area is what is missing, whatever the grid's shape."""
    for grid in (Grid(1, 40), Grid(40, 1), Grid(3, 60), Grid(20, 20)):
        mask = MASKS.parse("block(ratio=0.1, min_patches=1000)").sample(grid, 200)
        assert (mask.counts == grid.count(0.1)).all()
        pieces = [ndimage.label(cells, np.ones((3, 3)))[1] for cells in mask.hidden]
        assert np.mean(pieces) < 2.6


def test_full_length_rectangles_happen_only_in_ours(legacy, ours):
    def full(cells: np.ndarray) -> float:
        return float(cells.all(axis=2).any(axis=1).mean())

    wide = Grid(6, 30)
    few = MASKS.parse("block(ratio=0.2, min_aspect=1)").sample(wide, 500).hidden
    assert few.all(axis=1).any() and few.reshape(500, -1).sum(axis=1).tolist() == [36] * 500
    tall = MASKS.parse("block(ratio=0.2, min_aspect=1, legacy=True)").sample(wide, 500).hidden
    assert tall.all(axis=1).any(axis=1).mean() < few.all(axis=1).any(axis=1).mean()
    assert full(ours) > full(legacy)


def test_large_grids_without_a_table_of_all_spans_follow_the_same_rule():
    """The two ways to make a rectangle's bits give one distribution, and the same masks."""
    from workbench.masks import boxes

    large, small = Grid(90, 90), Grid(12, 20)
    assert -(-large.size // 64) * 91 * 91 > TABLE_LIMIT > -(-small.size // 64) * 21 * 21
    mask = OURS.sample(large, 20)
    assert (mask.counts == large.count(OURS.ratio)).all()
    share = np.random.default_rng(0).random((4, 500)).astype(np.float32)
    sides = np.stack([np.rint(1 + share[0] * 11), np.rint(1 + share[1] * 19)])
    table = boxes._spans(12, 20)
    fast = table.rectangles(sides, share[2:])
    by_edges = dataclasses.replace(table, whole=None, offset=np.array([[0], [13]], np.float32))
    slow = by_edges.rectangles(sides, share[2:])
    assert np.array_equal(fast, slow)
    cells = boxes._unpack(fast, small)
    assert (cells.sum(axis=(1, 2)) == sides.prod(axis=0)).all()


def test_grids_beyond_memory_are_refused():
    with pytest.raises(BadInput, match="need too much memory; take patches of more pixels"):
        OURS.sample(Grid(4096, 4096, patch=1))
