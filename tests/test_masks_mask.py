import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from workbench.errors import BadInput
from workbench.masks import MASKS, Grid, Mask

GRID = Grid(3, 5, patch=4)
CELLS = hnp.arrays(bool, (4, 3, 5))


@given(CELLS, CELLS, CELLS)
def test_the_algebra_of_sets(a, b, c):
    a, b, c = (Mask(cells, GRID) for cells in (a, b, c))
    assert ~(a | b) == ~a & ~b and a - b == a & ~b and a ^ b == (a | b) - (a & b)
    assert a & (b | c) == (a & b) | (a & c) and ~~a == a
    assert (a | b).counts.tolist() == (a.counts + b.counts - (a & b).counts).tolist()
    assert (a[1] | b).hidden.tolist() == [(a.hidden[1] | row).tolist() for row in b.hidden]


@given(hnp.arrays(bool, (1, 3, 5)))
def test_bits_are_row_major_and_come_back(cells):
    mask = Mask(cells, GRID)
    assert mask.to_bits() == "".join("1" if cell else "0" for row in cells[0] for cell in row)
    assert Mask.from_bits(mask.to_bits(), GRID) == mask


def test_indices_split_the_grid():
    mask = MASKS.parse("random(ratio=0.4)").sample(Grid(4, 6), count=8, seed=3)
    visible, hidden = mask.visible_indices(), mask.hidden_indices()
    assert visible.dtype == hidden.dtype == np.int64
    assert visible.shape == (8, 14) and hidden.shape == (8, 10)
    assert [sorted({*v, *h}) for v, h in zip(visible.tolist(), hidden.tolist(), strict=True)] == [
        list(range(24))
    ] * 8
    assert (np.diff(visible) > 0).all() and (np.diff(hidden) > 0).all()
    rows, cols = divmod(int(hidden[5, 3]), 6)
    assert mask.hidden[5, rows, cols]
    assert (~mask).hidden_indices().tolist() == visible.tolist()


def test_indices_refuse_unequal_counts():
    mixed = Mask.stack([Mask.from_bits("1" * 15, GRID), Mask.from_bits("0" * 15, GRID)])
    with pytest.raises(BadInput, match="have 0 to 15 visible patches; indices need equal counts"):
        mixed.visible_indices()
    assert mixed[0].visible_indices().shape == (1, 0)
    assert mixed[1].hidden_indices().shape == (1, 0)


def test_pixels_repeat_patches():
    mask = MASKS.parse("random").sample(GRID, count=2)
    pixels = mask.to_pixels()
    assert pixels.shape == (2, 12, 20)
    assert np.array_equal(pixels, np.kron(mask.hidden, np.ones((1, 4, 4), bool)))
    clip = MASKS.parse("random").sample(Grid(3, 5, patch=2, frames=3))
    assert clip.to_pixels().shape == (1, 3, 6, 10)


def test_a_mask_cannot_be_changed():
    cells = np.zeros((1, 3, 5), bool)
    mask = Mask(cells, GRID)
    with pytest.raises(ValueError, match="read-only"):
        mask.hidden[0, 0, 0] = True
    cells[0, 0, 0] = True  # the maker's own array stays writable


def test_slices_and_joins_keep_targets():
    mask = MASKS.parse("multi_block").sample(Grid(14, 14), count=5)
    assert mask.targets is not None and mask.targets.shape == (5, 4, 14, 14)
    assert Mask.stack([mask[:2], mask[2:]]) == mask
    assert mask[-1] == mask[4] and mask[-1] != mask[0] and len(list(mask)) == 5
    assert mask[0] != Mask(mask[0].hidden, mask.grid)
    assert (mask | mask).targets is None
    assert hash(mask[4]) == hash(mask[-1])
    with pytest.raises(IndexError):
        mask[5]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Mask(np.zeros((1, 3, 4), bool), GRID),
        lambda: Mask(np.zeros((1, 3, 5), np.uint8), GRID),
        lambda: Mask(np.zeros((3, 5), bool), GRID),
        lambda: Mask(np.zeros((0, 3, 5), bool), GRID),
        lambda: Mask(np.zeros((1, 3, 5), bool), GRID, np.zeros((2, 1, 3, 5), bool)),
        lambda: Mask(np.zeros((1, 3, 5), bool), GRID, np.zeros((1, 3, 5), bool)),
        lambda: Mask.from_bits("01", GRID),
        lambda: Mask.from_bits("2" * 15, GRID),
        lambda: Mask.from_bits(None, GRID),
        lambda: Mask(np.zeros((2, 3, 5), bool), GRID).to_bits(),
        lambda: Mask(np.zeros((2, 3, 5), bool), GRID) | Mask(np.zeros((3, 3, 5), bool), GRID),
        lambda: Mask(np.zeros((1, 3, 5), bool), GRID) | Mask(np.zeros((1, 5, 3), bool), Grid(5, 3)),
        lambda: Mask(np.zeros((1, 3, 5), bool), GRID) & np.zeros((1, 3, 5), bool),
        lambda: Mask.stack([Mask(np.zeros((1, 3, 5), bool), g) for g in (GRID, Grid(3, 5))]),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(make):
    with pytest.raises(BadInput) as caught:
        make()
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


@given(st.integers(0, 1000), st.integers(1, 200), st.integers(1, 200))
def test_the_count_is_the_rounded_decimal(thousandths, rows, cols):
    grid = Grid(rows, cols)
    assert grid.count(thousandths / 1000) == (2 * thousandths * grid.size + 1000) // 2000


@pytest.mark.parametrize(
    ("ratio", "size", "count"),
    [(0.75, 49, 37), (0.6, 64, 38), (0.9, 196, 176), (0.5, 7, 4), (0, 9, 0), (1, 9, 9)],
)
def test_counts_that_code_bases_disagree_on(ratio, size, count):
    assert Grid(1, size).count(ratio) == count


@pytest.mark.parametrize("ratio", [-0.1, 1.5, float("nan"), float("inf")])
def test_a_ratio_is_a_share(ratio):
    with pytest.raises(BadInput, match=r"ratio is .*, but must be a number from 0 to 1"):
        Grid(3, 3).count(ratio)


@pytest.mark.parametrize(
    "kwargs",
    [
        {"rows": 0, "cols": 1},
        {"rows": 2.5, "cols": 1},
        {"rows": True, "cols": 1},
        {"rows": 1, "cols": -3},
        {"rows": 1, "cols": 1, "patch": 0},
        {"rows": 1, "cols": 1, "frames": 0},
        {"rows": 1 << 13, "cols": 1 << 13},
        {"rows": 1, "cols": 1, "domain": "time"},
    ],
)
def test_a_grid_has_sane_sizes(kwargs):
    with pytest.raises(BadInput, match="Grid: "):
        Grid(**kwargs)


def test_a_grid_is_a_value():
    grid = Grid(np.int64(3), 4, patch=2, frames=5)
    assert grid == Grid(**grid.record()) and hash(grid) == hash(Grid(**grid.record()))
    assert (grid.size, grid.shape, grid.pixels, type(grid.rows)) == (60, (5, 3, 4), (6, 8), int)
