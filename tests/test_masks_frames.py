"""Clips, views, modalities, bands and canvases: what a frame of the grid means to a strategy."""

import math

import numpy as np
import pytest

from workbench.errors import BadInput
from workbench.masks import MASKS, Grid, Mask

CLIP = Grid(14, 14, frames=8)
THREE = Grid(14, 14, frames=3)


def draw(recipe: str, count: int = 1, grid: Grid = CLIP, **where) -> Mask:
    return MASKS.parse(recipe).sample(grid, count, **where)


# --- tubes and running cells -------------------------------------------------------------------


def test_tubes_hide_the_same_176_patches_in_every_slot():
    mask = draw("tubes", 200)
    assert (mask.hidden == mask.hidden[:, :1]).all()
    assert set(mask.counts.tolist()) == {8 * 176} == {1408}
    often = draw("tubes(ratio=0.5)", 10_000).hidden[:, 0].mean(axis=0)
    assert np.abs(often - 0.5).max() < 4.5 * math.sqrt(0.25 / 10_000)


def running(frames: int, rows: int, cols: int, skipped: int, phase: int) -> np.ndarray:
    """VideoMAE V2's decoder map, True = decoded: a queue of skipped and decoded cells advances."""
    queue = [False] * skipped + [True] * (4 - skipped)
    slots = []
    for slot in range(frames):
        turn = (phase + slot) % 4
        cell = np.array(queue[turn:] + queue[:turn]).reshape(2, 2)
        slots.append(np.tile(cell, (rows // 2, cols // 2)))
    return np.stack(slots)


def test_dual_masks_have_the_papers_counts():
    mask = draw("running_cells", 300)
    hidden, decoded = mask.hidden, mask.targets[:, 0]
    assert (hidden == hidden[:, :1]).all() and set(mask.counts.tolist()) == {1408}
    assert set(decoded.reshape(300, -1).sum(axis=1)) == {784}
    loss = hidden & decoded
    assert set(loss.reshape(300, -1).sum(axis=1)) == {704}
    assert (loss.sum(axis=1)[hidden[:, 0]] == 4).all()  # every hidden column in 4 of 8 slots
    assert set((decoded & ~hidden).reshape(300, -1).sum(axis=1)) == {80}  # enter twice
    assert set((~hidden).reshape(300, -1).sum(axis=1) + 784) == {944}
    assert hidden[0].tolist() == draw("tubes").hidden[0].tolist()


@pytest.mark.parametrize("skipped", [1, 2, 3])
def test_the_decoders_map_is_one_of_four_phases(skipped):
    maps = draw(f"running_cells(decoder_ratio={skipped / 4})", 400).targets[:, 0]
    known = [running(8, 14, 14, skipped, phase) for phase in range(4)]
    seen = [next(i for i, each in enumerate(known) if (each == one).all()) for one in maps]
    assert (np.abs(np.bincount(seen) - 100) < 45).all()


def test_cells_also_cover_an_odd_row_and_column():
    decoded = draw("running_cells", 50, Grid(7, 9, frames=4)).targets[:, 0]
    assert decoded.shape == (50, 4, 7, 9)
    assert (decoded.sum(axis=1) == 2).all()  # also the last row and column, twice in four slots


def test_a_decoder_that_skips_nothing_gets_what_is_hidden():
    mask = draw("running_cells(decoder_ratio=0)", 20)
    assert np.array_equal(mask.targets[:, 0], mask.hidden)


# --- modalities --------------------------------------------------------------------------------


def tokens(recipe: str, count: int, grid: Grid = THREE) -> np.ndarray:
    """Visible patches of each modality."""
    return (~draw(recipe, count, grid).hidden).sum(axis=(2, 3))


def test_the_budget_is_exact_where_rounding_is_not():
    shown = tokens("dirichlet_budget", 20_000)
    assert (shown.sum(axis=1) == 98).all()  # of 588
    shares = np.random.default_rng(0).dirichlet([1, 1, 1], 20_000)
    rounded = np.rint(shares * 98)
    missed = (rounded.sum(axis=1) != 98).mean()
    assert missed == pytest.approx(0.25, abs=0.02)  # what the official rounding alone would miss
    assert shown.mean(axis=0) / 98 == pytest.approx([1 / 3] * 3, abs=0.01)
    assert (shown == 0).any(axis=1).mean() == pytest.approx(0.032, abs=0.006)
    few = [(shown == n).sum() / 60_000 for n in range(4)]  # the rest goes to nobody in particular
    assert few == pytest.approx([(rounded == n).sum() / 60_000 for n in range(4)], abs=0.003)
    for quantile in (0.1, 0.5, 0.9):
        ours, theirs = np.quantile(shown, quantile), np.quantile(rounded, quantile)
        assert ours == pytest.approx(theirs, abs=1.5)


@pytest.mark.parametrize("alpha", [0.05, 0.3, 2.5, 40])
def test_shares_follow_the_dirichlet_law(alpha):
    """Mean 1/3 and variance of Dirichlet(a, a, a): (1/3)(2/3) / (3 a + 1)."""
    shown = tokens(f"dirichlet_budget(alpha={alpha})", 6_000) / 98
    assert shown.mean() == pytest.approx(1 / 3, abs=1e-9)
    variance = 2 / 9 / (3 * alpha + 1)
    assert shown.var(axis=0) == pytest.approx([variance] * 3, rel=0.08)
    assert np.isfinite(shown).all()


def test_patches_of_a_modality_are_chosen_at_random():
    often = (~draw("dirichlet_budget", 12_000, THREE).hidden).mean(axis=0)
    assert np.abs(often - 98 / 588).max() < 5 * math.sqrt(1 / 6 * 5 / 6 / 12_000) + 0.004


def test_a_subset_is_drawn_first_and_stays_exact():
    shown = tokens("dirichlet_budget(subset=True)", 14_000)
    assert (shown.sum(axis=1) == 98).all()
    alone = (shown == 98).any(axis=1).mean()  # one modality of three: 3 of 7 sets, or a small share
    assert 3 / 7 - 0.02 < alone < 3 / 7 + 0.05
    assert (shown.max(axis=1) > 0).all()


def test_a_budget_beyond_one_modality_spills_over():
    shown = tokens("dirichlet_budget(ratio=0.4, subset=True, alpha=0.05)", 500)
    assert (shown.sum(axis=1) == 588 - 235).all() and shown.max() == 196


# --- bands, views and canvases -----------------------------------------------------------------


def test_channels_hide_whole_bands():
    mask = draw("channels(ratio=0.3)", 3_000, Grid(5, 4, frames=14))
    bands = mask.hidden.reshape(3_000, 14, 20)
    assert (bands == bands[:, :, :1]).all()
    assert (bands[:, :, 0].sum(axis=1) == 4).all()  # 4.2 of 14
    often = bands[:, :, 0].mean(axis=0)
    assert np.abs(often - 4 / 14).max() < 4.5 * math.sqrt(4 / 14 * 10 / 14 / 3_000)


def test_the_second_view_is_whole():
    mask = draw("cross_view", 5_000, Grid(14, 14, frames=2))
    assert not mask.hidden[:, 1].any()
    assert set(mask.counts.tolist()) == {176}  # int(0.9 * 196)
    often = mask.hidden[:, 0].mean(axis=0)
    assert np.abs(often - 176 / 196).max() < 4.5 * math.sqrt(0.09 / 5_000)
    assert draw("cross_view", 1, Grid(14, 14)).counts[0] == 176


def test_no_patch_is_visible_in_two_views():
    for views, ratio, shown in ((2, 0.75, 49), (2, 0.5, 98), (3, 0.7, 59)):
        grid = Grid(14, 14, frames=views)
        visible = ~draw(f"disjoint_views(ratio={ratio})", 3_000, grid).hidden
        assert (visible.sum(axis=(2, 3)) == shown).all()
        assert visible.sum(axis=1).max() == 1
        often = visible.mean(axis=0)
        share = shown / 196
        assert np.abs(often - share).max() < 4.8 * math.sqrt(share * (1 - share) / 3_000)
    with pytest.raises(BadInput, match=r"3 views that show 98 patches each need 294, .* to 0.67"):
        draw("disjoint_views(ratio=0.5)", 1, THREE)


def test_one_modality_is_masked_at_a_time():
    hidden = draw("conditional", 3_000, THREE).hidden.sum(axis=(2, 3))
    assert (np.sort(hidden, axis=1) == [0, 0, 98]).all()
    assert (hidden > 0).mean(axis=0) == pytest.approx([1 / 3] * 3, abs=4.5 * math.sqrt(2 / 27_000))


PAINTER = Grid(56, 28, frames=2)


def test_half_a_canvas_is_the_layout_of_use():
    mask = draw("target_half", 20, PAINTER)
    assert not mask.hidden[:, 0].any()
    assert not mask.hidden[:, 1, :28].any() and mask.hidden[:, 1, 28:].all()
    assert draw("target_half", 1, Grid(5, 2)).to_bits() == "0000" + "111111"


def test_the_input_is_never_masked_and_one_in_ten_is_half():
    mask = draw("target_half(half=0.1)", 600, PAINTER)
    assert not mask.hidden[:, 0].any()
    assert set(mask.counts.tolist()) == {784}  # half of 1568, either way
    target = mask.hidden[:, 1]
    halves = target[:, 28:].all(axis=(1, 2))
    assert halves.mean() == pytest.approx(0.1, abs=4.5 * math.sqrt(0.09 / 600))
    same = (target[~halves][:, 1:] == target[~halves][:, :-1]).mean()
    assert same > 0.85  # blocks; independent patches would agree half of the time
