"""Statistics of strategies: against SciPy, brute force, formulas, and the figures of the cards."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from workbench.analysis import mask_words
from workbench.analysis.mask_report import report
from workbench.analysis.mask_statistics import co_masking, measure, statistics
from workbench.analysis.object_overlap import object_overlap, object_shares
from workbench.errors import BadInput
from workbench.masks import MASKS, Grid, Mask
from workbench.scenes import labels

GRID = Grid(14, 14)


def draws(recipe: str, count: int = 10_000, grid: Grid = GRID, seed: int = 0):
    return statistics(MASKS.parse(recipe), grid, count, seed)


def blobs(seed: int, count: int, rows: int, cols: int, ratio: float) -> np.ndarray:
    """Masks of every texture: single cells, and pieces with holes that hold pieces."""
    rng = np.random.default_rng(seed)
    fields = rng.random((count, rows, cols))
    smooth = ndimage.gaussian_filter(fields, (0, 0.8, 0.8))
    fields[::2] = smooth[::2]
    flat = np.sort(fields.reshape(count, -1), axis=1)
    return fields < flat[:, min(int(ratio * rows * cols), rows * cols - 1)][:, None, None]


# --- against SciPy and NumPy ---------------------------------------------------------------------


@given(st.integers(1, 20), st.integers(1, 20), st.floats(0, 1), st.integers(0, 10_000))
def test_pieces_border_and_distance_are_scipys(rows: int, cols: int, ratio: float, seed: int):
    hidden = blobs(seed, 6, rows, cols, ratio)
    found = measure(Mask(hidden, Grid(rows, cols)))
    assert found.pieces.tolist() == [ndimage.label(cells)[1] for cells in hidden]
    edges = [np.count_nonzero(np.diff(c, axis=0)) + np.count_nonzero(np.diff(c)) for c in hidden]
    assert found.border.tolist() == edges
    for cells, distance in zip(hidden, found.distance, strict=True):
        if cells.any() and not cells.all():
            away = ndimage.distance_transform_edt(cells)
            assert distance == pytest.approx(away[cells].mean(), rel=1e-9)
        else:
            assert math.isnan(distance)


@pytest.mark.parametrize("shape", [(3, 64), (64, 5), (5, 70), (33, 33), (66, 67)])
def test_every_word_size_and_beyond(shape: tuple[int, int]):
    hidden = blobs(5, 8, *shape, 0.6)
    found = measure(Mask(hidden, Grid(*shape)))
    assert found.pieces.tolist() == [ndimage.label(cells)[1] for cells in hidden]
    away = [ndimage.distance_transform_edt(cells)[cells].mean() for cells in hidden]
    assert found.distance == pytest.approx(np.array(away), rel=1e-5)
    shown = ~hidden
    pairs = (shown[:, 1:] & shown[:, :-1]).sum() + (shown[..., 1:] & shown[..., :-1]).sum()
    assert found.adjacency == pytest.approx(pairs / shown.sum())


def test_nested_rings_are_pieces_in_holes_of_pieces():
    rings = np.zeros((15, 15), bool)
    for side in range(0, 8, 2):
        rings[side : 15 - side, side : 15 - side] = True
        rings[side + 1 : 14 - side, side + 1 : 14 - side] = False
    words = mask_words.packed(rings[None])
    assert mask_words.piece_counts(words, 15).tolist() == [ndimage.label(rings)[1]] == [4]
    leaky = rings.copy()
    leaky[0, 0] = leaky[2, 2] = False  # a corner lets visible cells out, by their corners
    words = mask_words.packed(np.stack([leaky, ~rings, ~leaky]))
    wanted = [ndimage.label(each)[1] for each in (leaky, ~rings, ~leaky)]
    assert mask_words.piece_counts(words, 15).tolist() == wanted


@pytest.mark.parametrize("grid", [GRID, Grid(5, 9), Grid(1, 12), Grid(30, 31)])
def test_the_spectrum_is_that_of_numpys_transform(grid: Grid):
    mask = MASKS.parse("random(ratio=0.3)").sample(grid, 50, seed=2)
    flat = mask.hidden.reshape(50, -1)
    centred = (flat - flat.mean(axis=1, keepdims=True)).reshape(mask.hidden.shape)
    power = (np.abs(np.fft.fft2(centred)) ** 2).mean(axis=0)
    length = np.hypot(np.fft.fftfreq(grid.rows)[:, None], np.fft.fftfreq(grid.cols))
    bands = np.bincount(np.digitize(length, [1 / 6, 1 / 3]).ravel(), power.ravel(), 3)
    found = measure(mask).spectrum
    shares = (found.low, found.middle, found.high)
    assert shares == pytest.approx(bands / power.sum(), rel=1e-5, abs=1e-9)
    assert sum(found.ring_sizes) == grid.size - 1
    assert found.density @ found.ring_sizes == pytest.approx(grid.size - 1)
    assert (np.diff(found.frequency) > 0).all()


def test_co_masking_is_a_share_of_the_draws_that_hide_the_cell():
    mask = MASKS.parse("block(ratio=0.4)").sample(GRID, 400, seed=3)
    found, flat = measure(mask), mask.hidden.reshape(400, -1)
    for cell in (0, 97, 195):
        wanted = flat[flat[:, cell]].mean(axis=0).reshape(14, 14)
        assert co_masking(mask, cell) == pytest.approx(wanted)
        assert found.together(cell) == pytest.approx(wanted)
        assert wanted.flat[cell] == 1
    never = measure(Mask(np.zeros((4, 2, 2), bool), Grid(2, 2)))
    assert np.isnan(never.together(0)).all()
    assert np.isnan(co_masking(Mask(np.zeros((4, 2, 2), bool), Grid(2, 2)), 3)).all()
    with pytest.raises(BadInput, match="cell is 196, but must be a whole number from 0 to 195"):
        co_masking(mask, 196)


def test_draws_in_parts_are_the_same_draws(monkeypatch: pytest.MonkeyPatch):
    whole = draws("block(ratio=0.5)", 500, seed=9)
    monkeypatch.setattr("workbench.analysis.mask_statistics.BATCH_CELLS", 196 * 70)
    parts = draws("block(ratio=0.5)", 500, seed=9)
    for name in ("ratios", "pieces", "border", "distance", "occupancy", "pairs"):
        assert getattr(parts, name) == pytest.approx(getattr(whole, name)), name
    assert parts.adjacency == pytest.approx(whole.adjacency)
    assert parts.spectrum.low == pytest.approx(whole.spectrum.low)


def test_a_clip_is_measured_frame_by_frame():
    grid = Grid(6, 7, frames=3)
    mask = MASKS.parse("random(ratio=0.4)").sample(grid, 80)
    found = measure(mask)
    single = measure(Mask(mask.hidden.reshape(240, 6, 7), Grid(6, 7)))
    assert found.pieces == pytest.approx(single.pieces.reshape(80, 3).mean(axis=1))
    assert found.distance == pytest.approx(single.distance.reshape(80, 3).mean(axis=1))
    assert found.adjacency == pytest.approx(single.adjacency)
    assert found.spectrum.high == pytest.approx(single.spectrum.high)
    assert found.occupancy == pytest.approx(mask.hidden.mean(axis=0))
    assert found.agreement_in_time == (mask.hidden[:, 1:] == mask.hidden[:, :-1]).mean()
    assert found.pairs is None and single.agreement_in_time is None
    tubes = Mask(np.repeat(mask.hidden[:, :1], 3, axis=1), grid)
    assert measure(tubes).agreement_in_time == 1


def test_one_map_serves_all_draws_and_many_are_dealt_out():
    from dataclasses import dataclass

    from workbench.masks.random import Random

    @dataclass(frozen=True, kw_only=True)
    class Looks(Random):
        needs = ("edges()",)

        def draw(self, grid, noise, maps):
            return maps["edges()"] > 0.5

    grid = Grid(2, 3)
    one = np.array([[[1, 0, 0], [0, 0, 1]]], float)
    assert statistics(Looks(), grid, 7, maps={"edges()": one}).occupancy.tolist() == one[0].tolist()
    many = np.random.default_rng(0).random((7, 2, 3))
    found = statistics(Looks(), grid, 7, maps={"edges()": many})
    assert found.occupancy == pytest.approx((many > 0.5).mean(axis=0))


# --- formulas ------------------------------------------------------------------------------------


def test_random_agrees_with_its_formulas():
    found = draws("random")
    assert (found.ratios == 0.75).all()
    assert np.abs(found.occupancy - 0.75).max() < 5 * math.sqrt(0.75 * 0.25 / 10_000)
    alike = (147 * 146 + 49 * 48) / (196 * 195)
    assert found.expected_agreement == pytest.approx(alike)
    assert found.agreement == pytest.approx(alike, abs=0.002)
    pair = found.together(100)
    others = np.delete(pair.ravel(), 100)
    assert others == pytest.approx(np.full(195, 146 / 195), abs=0.03)
    assert found.spectrum.density == pytest.approx(np.ones(len(found.spectrum.density)), abs=0.02)


def test_every_small_mask_by_brute_force():
    grid = Grid(2, 3)
    bits = np.array(list(itertools.product([False, True], repeat=6)))
    found = measure(Mask(bits.reshape(-1, 2, 3), grid))
    assert found.pieces.tolist() == [ndimage.label(b.reshape(2, 3))[1] for b in bits]
    assert found.occupancy == pytest.approx(np.full((2, 3), 0.5))
    assert found.agreement == 0.5
    assert found.mean_distance == pytest.approx(np.nanmean(found.distance))


@pytest.mark.parametrize("hidden", [True, False])
def test_all_or_nothing(hidden: bool):
    found = measure(Mask(np.full((3, 4, 4), hidden), Grid(4, 4)))
    assert (found.pieces == hidden).all() and not found.border.any()
    assert np.isnan(found.distance).all() and found.mean_distance is None
    assert math.isnan(found.spectrum.low) and np.isnan(found.spectrum.density).all()
    assert found.agreement == found.expected_agreement == 1
    assert found.adjacency == (None if hidden else 24 / 16)
    row = report(MASKS.parse("random"), found, 0)
    assert row["distance"]["mean"] is None and row["ratio"]["mean"] == hidden


# --- the cards -----------------------------------------------------------------------------------


def test_beits_blocks_prefer_the_centre():
    """Card A3: hidden .72 at the centre, .13 on the top edge, .04 at corners; 74.5 patches."""
    found = draws("block(ratio=0.383, legacy=True)")
    plane = found.plane
    assert plane[6:8, 6:8].mean() == pytest.approx(0.72, abs=0.01)
    assert plane[0].mean() == pytest.approx(0.13, abs=0.01)
    assert plane[[0, 0, -1, -1], [0, -1, 0, -1]].mean() == pytest.approx(0.04, abs=0.01)
    counts = found.ratios * 196
    assert counts.mean() == pytest.approx(74.5, abs=0.2) and counts.max() == 75
    assert (counts == 75).mean() == pytest.approx(0.665, abs=0.015)
    assert plane == pytest.approx(plane[::-1], abs=0.03)
    assert plane == pytest.approx(plane[:, ::-1], abs=0.03)
    assert found.agreement > found.expected_agreement + 0.3


@pytest.mark.parametrize(
    ("color", "figures"),
    [
        ("white", (0.10, 0.25, 0.65, 0.46)),
        ("red", (0.45, 0.32, 0.24, 1.19)),
        ("blue", (0.06, 0.22, 0.72, 0.34)),
        ("green", (0.14, 0.36, 0.50, 0.69)),
        ("purple", (0.08, 0.16, 0.75, 0.27)),
    ],
)
def test_the_colours_have_the_shares_of_the_card(color: str, figures: tuple[float, ...]):
    """Card A4: power below 1/6, to 1/3 and above; visible neighbours a visible patch."""
    found = draws(f'color_noise(color="{color}")', 3_000)
    assert (found.ratios * 196 == 147).all()
    shares = (found.spectrum.low, found.spectrum.middle, found.spectrum.high)
    assert shares == pytest.approx(figures[:3], abs=0.012)
    assert found.adjacency == pytest.approx(figures[3], abs=0.02)


def test_the_official_multi_block_never_shows_the_last_row():
    """Card A6: no target and no context in the last row and column; ours reaches them."""
    legacy, ours = draws("multi_block(legacy=True)", 6_400), draws("multi_block", 2_000)
    assert (legacy.plane[-1] == 1).all() and (legacy.plane[:, -1] == 1).all()
    assert legacy.plane[:-1, :-1].max() < 1
    assert ours.plane[-1].max() < 0.95 and ours.plane[:, -1].max() < 0.95
    assert 196 * (1 - legacy.ratios.mean()) == pytest.approx(52, abs=2)


def test_a_tube_hides_the_card_s_patches():
    """Card A7: 176 of 196 in each of 8 slots, the same ones."""
    plane = MASKS.parse("random(ratio=0.9)").sample(GRID, 200).hidden
    found = measure(Mask(np.repeat(plane[:, None], 8, axis=1), Grid(14, 14, frames=8)))
    assert (found.ratios * 1568 == 1408).all()
    assert found.agreement_in_time == 1


# --- objects -------------------------------------------------------------------------------------


def test_object_shares_are_areas_on_any_grid():
    labels_map = np.zeros((6, 9), np.uint8)
    labels_map[1:4, 2:7] = 1
    labels_map[5, 8] = 2
    shares = object_shares(labels_map, Grid(3, 3), 3)
    wanted = (labels_map == 1).reshape(3, 2, 3, 3).mean(axis=(1, 3))
    assert shares[0] == pytest.approx(wanted)
    assert shares[1].sum() == pytest.approx(1 / 6) and not shares[2].any()
    uneven = object_shares(labels_map, Grid(4, 5), 1)
    assert uneven.sum() / 20 == pytest.approx(15 / 54)
    with pytest.raises(BadInput, match=r"labels have the shape \(2,\)"):
        object_shares(np.zeros(2, int), GRID, 1)


def test_the_overlap_with_objects():
    shares = np.zeros((2, 2, 2))
    shares[0, 0] = 1, 0.5
    hidden = np.array(
        [[[1, 1], [0, 0]], [[1, 0], [1, 1]], [[0, 0], [1, 1]], [[0, 1], [0, 0]]], bool
    )
    (found,) = object_overlap(Mask(hidden, Grid(2, 2)), shares, ("cat", "dog"))
    assert (found.name, found.area) == ("cat", 1.5 / 4)
    assert found.hidden == pytest.approx((1 + 2 / 3 + 0 + 1 / 3) / 4)
    assert (found.gone, found.whole) == (0.25, 0.25)


def test_drawn_scenes_know_their_objects():
    mask = MASKS.parse("random(ratio=0.6)").sample(Grid(12, 12), 2_000)
    found = labels.overlap("drawn-1", mask)
    assert len(found) > 2 and [each.area for each in found] == sorted(
        (each.area for each in found), reverse=True
    )
    for each in found:
        assert each.hidden == pytest.approx(86 / 144, abs=0.04)
    assert labels.overlap("astronaut", mask) == []
    assert labels.has_labels("drawn-1") and not labels.has_labels("coffee")


@pytest.mark.parametrize("count", [0, 1 << 25, 2.5])
def test_a_bad_count_is_refused(count: float):
    with pytest.raises(BadInput, match=f"count is {count}, but must be a whole number from 1"):
        statistics(MASKS.parse("random"), GRID, count)  # pyright: ignore[reportArgumentType]
