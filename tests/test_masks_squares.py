"""Boards, 2 x 2 cells, coin flips and mixed batches against their cards."""

import math

import numpy as np
import pytest

from workbench.data.samples import photo
from workbench.errors import BadInput
from workbench.masks import MASKS, Grid, Mask
from workbench.scenes.mixing import mixed_pictures

GRID = Grid(14, 14)


def draw(recipe: str, count: int = 1, grid: Grid = GRID, **where) -> Mask:
    return MASKS.parse(recipe).sample(grid, count, **where)


def agreement(cells: np.ndarray) -> float:
    """Share of equal neighbours."""
    return float(np.mean([(cells[:, 1:] == cells[:, :-1]).mean(),
                          (cells[:, :, 1:] == cells[:, :, :-1]).mean()]))  # fmt: skip


# --- checker -----------------------------------------------------------------------------------


def test_no_neighbours_agree_on_a_chess_board():
    mask = draw("checker", 400)
    assert agreement(mask.hidden) == 0 and set(mask.counts.tolist()) == {98}
    assert mask.hidden[:, 0, 0].mean() == pytest.approx(0.5, abs=4.5 * 0.5 / 20)
    assert draw('checker(corner="hidden")', 1, Grid(2, 3)).to_bits() == "101010"
    assert draw('checker(corner="visible")', 1, Grid(2, 3)).to_bits() == "010101"
    wide = draw("checker(cell=2)", 50).hidden.reshape(50, 7, 2, 7, 2)
    assert (wide == wide[:, :, :1, :, :1]).all()
    assert agreement(wide[:, :, 0, :, 0]) == 0


# --- uniform -----------------------------------------------------------------------------------


def test_every_cell_keeps_exactly_one_and_any_of_the_four():
    cells = draw("uniform", 2_000).hidden.reshape(2_000, 7, 2, 7, 2)
    assert (cells.sum(axis=(2, 4)) == 3).all()
    often = (~cells).mean(axis=0)
    assert np.abs(often - 0.25).max() < 4.8 * math.sqrt(0.25 * 0.75 / 2_000)
    pair = np.corrcoef(~cells[:, 0, 0, 0, 0], ~cells[:, 0, 0, 1, 0])[0, 1]
    assert abs(pair) < 0.1  # cells choose by themselves


@pytest.mark.parametrize("ratio", [0, 0.5, 0.74, 1])
def test_another_ratio_is_refused_and_says_what_to_take(ratio):
    told = rf"uniform: ratio is {float(ratio)}, .* must be 0.75; for another ratio take grid\("
    with pytest.raises(BadInput, match=told):
        MASKS.parse(f"uniform(ratio={ratio})")


def test_secondary_masking_hides_a_quarter_of_what_was_kept():
    mask, first = draw("uniform(secondary=0.25)", 500), draw("uniform", 500)
    assert set(mask.counts.tolist()) == {147 + 12}  # 12.25 of 49
    assert np.array_equal(mask.targets[:, 0], first.hidden)  # only these are predicted
    assert (mask.hidden >= first.hidden).all()
    again = (mask.hidden & ~first.hidden).mean(axis=0)
    assert again.mean() == pytest.approx(12 / 196) and again.max() < 0.13
    assert MASKS.parse("uniform(secondary=0.25)").promise == "free"
    odd = draw("uniform(secondary=1)", 50, Grid(5, 7))
    assert odd.hidden.all() and not odd.targets.all()


def test_the_square_window_reaches_every_corner():
    """The published generator draws its start below 7 of 14, so that row 13 is never seen."""
    seen = ~draw('uniform(window="square")', 6_000).hidden
    assert (seen.sum(axis=(1, 2)) == 49).all()
    rows, cols = seen.any(axis=2).sum(axis=1), seen.any(axis=1).sum(axis=1)
    assert (rows == 7).all() and (cols == 7).all()
    often = seen.mean(axis=0)
    corners = often[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert corners == pytest.approx([1 / 64] * 4, abs=4.5 * math.sqrt(1 / 64 / 6_000))
    rng = np.random.default_rng(0)
    official = np.zeros((14, 14))
    for top, left in rng.integers(0, 7, (6_000, 2)):
        official[top : top + 7, left : left + 7] += 1 / 6_000
    assert official[-1].max() == official[:, -1].max() == 0 < official[0, 0]
    assert np.abs(often - often[::-1, ::-1]).max() < 0.03


# --- bernoulli_blocks --------------------------------------------------------------------------


def test_coin_flips_have_the_variance_of_coin_flips():
    mask = draw("bernoulli_blocks", 4_000, Grid(32, 32))  # 8 x 8 blocks
    blocks = mask.hidden.reshape(4_000, 8, 4, 8, 4)
    assert (blocks == blocks[:, :, :1, :, :1]).all()
    assert mask.ratio.mean() == pytest.approx(0.7, abs=0.004)
    assert mask.ratio.std() == pytest.approx(math.sqrt(0.7 * 0.3 / 64), rel=0.04)  # .057
    assert mask.ratio.std() == pytest.approx(0.057, abs=0.002)
    assert MASKS.get("bernoulli_blocks").counts == "free"
    flat = blocks[:, :, 0, :, 0].reshape(4_000, 64).astype(float)
    together = np.corrcoef(flat.T)[~np.eye(64, dtype=bool)]
    assert np.abs(together).max() < 5.5 / math.sqrt(4_000)


def test_blocks_cover_a_picture_that_is_no_multiple_of_them():
    mask = draw("bernoulli_blocks(unit=4, ratio=0.5)", 300, Grid(10, 23))  # 3 x 6 blocks
    rows, cols = np.arange(10) * 3 // 10, np.arange(23) * 6 // 23
    for row in range(3):
        for col in range(6):
            block = mask.hidden[:, rows == row][:, :, cols == col].reshape(300, -1)
            assert block.shape[1] >= 9 and (block == block[:, :1]).all()
    tiny = draw("bernoulli_blocks(unit=64)", 400, Grid(3, 5))  # round(3 / 64) = 0 blocks elsewhere
    assert set(tiny.counts.tolist()) == {0, 15}


# --- mixing ------------------------------------------------------------------------------------


def test_one_mask_for_all_images_of_a_step():
    mask = draw("mixing", 64, seed=3, step=5)
    assert (mask.hidden == mask.hidden[:1]).all()
    assert (
        draw("mixing", 1, seed=3, step=5, first=1_000).hidden[0].tolist() == mask.hidden[0].tolist()
    )
    assert draw("mixing", 1, seed=3, step=6) != mask[0]
    units = mask.hidden[0].reshape(7, 2, 7, 2)
    assert (units == units[:, :1, :, :1]).all() and mask.counts[0] == 25 * 4  # 24.5 of 49


@pytest.mark.parametrize("count", [1, 2, 5])
def test_two_losses_cover_every_patch_once(count):
    names = ["astronaut", "coffee", "rocket", "chelsea", "camera"]
    photos = np.stack([photo(name)[:112, :112] for name in names[:count]])
    mask = draw("mixing", count, Grid(7, 7, patch=16), seed=1)
    mixed, hidden = mixed_pictures(photos, mask), mask.to_pixels()[0]
    for i in range(count):
        partner = count - 1 - i
        assert np.array_equal(mixed[i][~hidden], photos[i][~hidden])
        assert np.array_equal(mixed[i][hidden], photos[partner][hidden])
    assert ((mask.hidden.astype(int) + (~mask).hidden) == 1).all()
    if count % 2:
        assert np.array_equal(mixed[count // 2], photos[count // 2])


def test_what_cannot_be_mixed_is_refused():
    photos = np.zeros((2, 32, 32, 3), np.uint8)
    with pytest.raises(BadInput, match=r"must be \[b, h, w, 3\]"):
        mixed_pictures(photos[0], draw("mixing", 1, Grid(2, 2)))
    with pytest.raises(BadInput, match=r"2 different masks was given, but pictures are mixed by"):
        mixed_pictures(photos, draw("random", 2, Grid(8, 8, patch=4)))
    with pytest.raises(BadInput, match=r"covers \(16, 16\) pixels and the photos have \(32, 32\)"):
        mixed_pictures(photos, draw("mixing", 2, Grid(1, 1)))
