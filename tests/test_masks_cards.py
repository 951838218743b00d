"""Each strategy against what is known of it: formulas, official code's figures, geometry."""

import itertools
import math
import tracemalloc

import numpy as np
import pytest
from scipy import ndimage

from workbench.errors import BadInput
from workbench.masks import MASKS, Grid, Mask, fields
from workbench.seeds import Noise

GRID = Grid(14, 14)
EIGHT = np.ones((3, 3), int)


def draw(recipe: str, count: int, grid: Grid = GRID, **where) -> Mask:
    return MASKS.parse(recipe).sample(grid, count, **where)


def adjacencies(cells: np.ndarray) -> float:
    """Neighbouring pairs per set cell."""
    pairs = (cells[:, 1:] & cells[:, :-1]).sum() + (cells[:, :, 1:] & cells[:, :, :-1]).sum()
    return float(pairs / cells.sum())


# --- random ------------------------------------------------------------------------------------


def test_random_hides_every_patch_and_pair_equally_often():
    n, hidden = 20_000, draw("random", 20_000).hidden.reshape(20_000, -1).astype(np.float32)
    sigma = math.sqrt(0.75 * 0.25 / n)
    assert np.abs(hidden.mean(axis=0) - 0.75).max() < 4.5 * sigma
    together = hidden.T @ hidden / n
    pair = 147 / 196 * 146 / 195
    off = together[~np.eye(196, dtype=bool)]
    assert np.abs(off - pair).max() < 6 * math.sqrt(pair * (1 - pair) / n)


def test_random_draws_every_set_equally_often():
    n = 40_000
    bits = draw("random(ratio=0.5)", n, Grid(2, 3)).hidden.reshape(n, 6) @ (1 << np.arange(6))
    counts = np.bincount(bits, minlength=64)
    legal = [sum(1 << i for i in chosen) for chosen in itertools.combinations(range(6), 3)]
    assert counts[legal].sum() == n
    chi = ((counts[legal] - n / 20) ** 2 / (n / 20)).sum()
    assert chi < 43.8  # 0.1% point of chi-square with 19 degrees of freedom


# --- units -------------------------------------------------------------------------------------


def test_units_are_simmims():
    swin = Grid(48, 48, patch=4)
    mask = draw("units(unit=8)", 50, swin)
    units = mask.hidden.reshape(50, 6, 8, 6, 8)
    assert (units == units[:, :, :1, :, :1]).all()
    assert set(mask.counts.tolist()) == {22 * 64}
    assert mask.ratio[0] == pytest.approx(22 / 36)


def test_a_unit_longer_than_the_grid_costs_no_more_than_the_grid():
    tracemalloc.start()
    try:
        mask = draw("units(ratio=0.4, unit=4096)", 2_000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert not mask.hidden.any() and peak < 20 * mask.hidden.size


def test_units_round_as_the_house_does_or_up():
    assert draw("units", 1).counts[0] == 29 * 4  # 29.4 of 49
    assert draw("units(legacy=True)", 1).counts[0] == 30 * 4
    assert draw("units(ratio=0.5, legacy=True)", 1, Grid(4, 4)).counts[0] == 8
    cut = draw("units(ratio=1, unit=4)", 1, Grid(5, 7))
    assert cut.counts[0] == 35


# --- grid and stripes --------------------------------------------------------------------------


def test_every_small_square_hides_three():
    cells = draw("grid", 500).hidden.reshape(500, 7, 2, 7, 2)
    assert (cells.sum(axis=(2, 4)) == 3).all()
    visible = (~cells).swapaxes(2, 3).reshape(-1, 4).mean(axis=0)
    assert np.abs(visible - 0.25).max() < 0.015


def test_a_lattice_is_regular_and_shifts_with_the_seed():
    mask = draw('grid(place="same")', 200)
    assert (mask.hidden[:, 2:] == mask.hidden[:, :-2]).all()
    assert (mask.hidden[:, :, 2:] == mask.hidden[:, :, :-2]).all()
    assert len({one.to_bits() for one in mask}) == 4


def test_the_grid_ratio_comes_in_units_of_its_squares():
    assert draw("grid(ratio=0.5, cell=3)", 1, Grid(9, 9)).counts[0] == 5 * 9
    assert draw("grid(ratio=0.6)", 1).ratio[0] == 0.5


@pytest.mark.parametrize("direction", ["rows", "columns", "diagonal"])
def test_stripes_run_where_they_should_and_are_even(direction):
    cells = draw(f'stripes(ratio=0.25, direction="{direction}")', 30, Grid(12, 12)).hidden
    if direction == "columns":
        cells = cells.swapaxes(1, 2)
    if direction == "diagonal":
        assert (cells[:, 1:, :-1] == cells[:, :-1, 1:]).all()
        return
    assert (cells == cells[:, :, :1]).all()
    assert {tuple(np.flatnonzero(one[:, 0]) % 4) for one in cells} == {
        (0, 0, 0), (1, 1, 1), (2, 2, 2), (3, 3, 3),
    }  # fmt: skip


def test_wide_stripes():
    cells = draw("stripes(width=3)", 20, Grid(12, 2)).hidden[:, :, 0]
    assert (cells.reshape(20, 4, 3).sum(axis=2) % 3 == 0).all()
    assert (cells.sum(axis=1) == 6).all()


# --- colour noise and fields -------------------------------------------------------------------

# Shares of radial power below 1/6, from 1/6 to 1/3, above, and visible neighbour pairs per visible
# patch: measured on an independent implementation (32 x 32 periodic field, 14 x 14 cut out of it).
SPECTRA = {
    "white": (0.10, 0.25, 0.65, 0.46),
    "red": (0.45, 0.32, 0.24, 1.19),
    "blue": (0.06, 0.22, 0.72, 0.34),
    "green": (0.14, 0.36, 0.50, 0.69),
    "purple": (0.08, 0.16, 0.75, 0.27),
}


@pytest.mark.parametrize("color", SPECTRA)
def test_the_colours_have_their_spectra(color):
    visible = ~draw(f'color_noise(color="{color}")', 3_000).hidden
    assert (visible.sum(axis=(1, 2)) == 49).all()
    frequency = np.hypot(np.fft.fftfreq(14)[:, None], np.fft.fftfreq(14))
    power = (np.abs(np.fft.fft2(visible - 0.25)) ** 2).mean(axis=0)
    bands = np.digitize(frequency, [1 / 6, 1 / 3])
    shares = np.bincount(bands.ravel(), power.ravel()) / power.sum()
    assert shares == pytest.approx(SPECTRA[color][:3], abs=0.012)
    assert adjacencies(visible) == pytest.approx(SPECTRA[color][3], abs=0.02)


def test_the_strongest_patches_are_kept():
    """Red noise blurs with a kernel we can write down: compare on the field's own white noise."""
    strategy, grid = MASKS.parse('color_noise(color="red", sigma=1.5, ratio=0.5)'), Grid(20, 22)
    noise = Noise(seed=3, first=2, count=5)
    white = noise.bits(32 * 36).reshape(5, 32, 36) / 2**32 - 0.5  # 20 + 8 * 1.5 = 32, 34 then 36
    red = ndimage.gaussian_filter(white, 1.5, mode="wrap", axes=(1, 2), truncate=8)[:, :20, :22]
    hidden = red.reshape(5, -1) < np.median(red.reshape(5, -1), axis=1)[:, None]
    ours = strategy.sample(grid, 5, seed=3, first=2).hidden.reshape(5, -1)
    assert (hidden == ours).mean() > 0.99


def test_the_two_blurs_must_be_in_order():
    with pytest.raises(BadInput, match=r"sigma_low is 2.0 and sigma_high 2.0, but sigma_low must"):
        MASKS.parse("color_noise(sigma_low=2)")


@pytest.mark.parametrize("slope", [0, 1, 3, 6])
def test_a_random_field_falls_with_its_slope(slope):
    strategy = MASKS.parse(f"random_field(slope={slope})")
    field = fields.shaped(Grid(64, 64), Noise(count=60), strategy._gain, 0).reshape(-1, 64, 64)
    power = (np.abs(np.fft.fft2(field)) ** 2).mean(axis=0)
    frequency = np.hypot(np.fft.fftfreq(64)[:, None], np.fft.fftfreq(64))
    ring = (frequency > 0) & (frequency < 0.4)
    fall = np.polyfit(np.log(frequency[ring]), np.log(power[ring]), 1)[0]
    assert fall == pytest.approx(-slope, abs=0.05)


def test_steeper_fields_clump_more():
    clumps = [adjacencies(~draw(f"random_field(slope={s})", 400).hidden) for s in (0, 1, 2, 3, 5)]
    assert clumps == sorted(clumps) and clumps[0] == pytest.approx(0.46, abs=0.03)
    assert clumps[-1] > 1.4


# --- scribble ----------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [1.5, 2, 4])
@pytest.mark.parametrize("ratio", [0.02, 0.1, 0.4, 0.8])
def test_one_stroke_is_one_piece(ratio, width):
    mask = draw(f"scribble(ratio={ratio}, width={width}, length=1)", 60, Grid(13, 17))
    assert {ndimage.label(cells, EIGHT)[1] for cells in mask.hidden} == {1}


def test_more_strokes_are_at_most_as_many_pieces():
    pieces = [ndimage.label(c, EIGHT)[1] for c in draw("scribble(ratio=0.1, strokes=4)", 60).hidden]
    assert max(pieces) <= 4 and np.mean(pieces) > 1.5


def test_a_wider_brush_makes_a_shorter_stroke():
    grid = Grid(40, 40)
    reach = [
        np.mean([len(set(np.nonzero(cells)[0])) for cells in
                 draw(f"scribble(ratio=0.05, width={width}, wobble=0.1)", 80, grid).hidden])
        for width in (1.5, 3, 6)
    ]  # fmt: skip
    assert reach[0] > reach[1] > reach[2]


# --- inverse block -----------------------------------------------------------------------------


def test_inverse_block_shows_compact_pieces():
    visible = ~draw("inverse_block", 500).hidden
    assert adjacencies(visible) > 1.45
    pieces = [ndimage.label(cells)[1] for cells in visible[:200]]
    assert np.mean(pieces) < 3
    shown = visible.mean(axis=0)
    assert shown[6:8, 6:8].mean() > 2 * shown[0].mean()


# --- painted -----------------------------------------------------------------------------------


def test_painted_is_over_or_hide_minus_show():
    base = draw("block(ratio=0.5)", 20, seed=4)
    mask = draw('painted(hide="0-5,17", show=" 100 - 110, 3", over=block(ratio=0.5))', 20, seed=4)
    hide, show = np.zeros((2, 196), bool)
    hide[[0, 1, 2, 3, 4, 5, 17]] = True
    show[[3, *range(100, 111)]] = True
    wanted = (base.hidden.reshape(20, -1) | hide) & ~show
    assert np.array_equal(mask.hidden.reshape(20, -1), wanted)
    assert draw("painted(over=block(ratio=0.5))", 20, seed=4) == base
    assert draw('painted(hide="7")', 1, Grid(2, 4)).to_bits() == "00000001"


def test_the_lock_is_exact_and_spares_what_was_painted():
    for lock in (0, 0.05, 0.3, 0.5, 0.75, 0.97, 1):
        recipe = f'painted(hide="0-9", show="180-195", over=random(ratio=0.5), lock={lock})'
        cells = draw(recipe, 40).hidden.reshape(40, -1)
        base = draw('painted(hide="0-9", show="180-195", over=random(ratio=0.5))', 40)
        base = base.hidden.reshape(40, -1)
        count = math.floor(lock * 196 + 0.5)
        assert (cells.sum(axis=1) == count).all()
        if count >= 10:
            assert cells[:, :10].all()
        if count <= 180:
            assert not cells[:, 180:].any()
        filled = base.sum(axis=1) <= count
        assert (cells >= base)[filled].all() and (cells <= base)[~filled].all()


@pytest.mark.parametrize("text", ["a", "1-", "-3", "5-2", "1,,2", "1;2", "1.5", "0x1", "9" * 12])
def test_a_list_of_patches_is_numbers(text):
    with pytest.raises(BadInput, match=r"painted: hide holds .*, but must be patch numbers"):
        MASKS.get("painted")(hide=text)


def test_a_patch_must_exist():
    with pytest.raises(BadInput, match="show names patch 16, but the grid has patches 0 to 15"):
        draw('painted(show="3-16")', 1, Grid(4, 4))


def test_painting_over_a_strategy_that_refuses_the_grid_refuses_too():
    with pytest.raises(BadInput, match="block draws single images, but this grid has 3 frames"):
        draw("painted(over=block())", 1, Grid(4, 4, frames=3))
    assert draw('painted(hide="0-47")', 1, Grid(4, 4, frames=3)).counts[0] == 48


# --- multi-block -------------------------------------------------------------------------------


def boxes(cells: np.ndarray) -> np.ndarray:
    """Height and width of the only rectangle in each plane, asserting that it is one."""
    rows, cols = cells.any(axis=-1).sum(axis=-1), cells.any(axis=-2).sum(axis=-1)
    assert (rows * cols == cells.sum(axis=(-1, -2))).all()
    return np.stack([rows, cols], axis=-1)


def test_context_and_targets_are_apart_and_everywhere():
    mask = draw("multi_block", 3_000)
    visible, targets = ~mask.hidden, mask.targets
    assert targets.shape == (3_000, 4, 14, 14)
    assert not (visible & targets.any(axis=1)).any()
    for cells in (visible, targets.any(axis=1)):
        often = cells.mean(axis=0)
        for edge in (often[0], often[-1], often[:, 0], often[:, -1]):
            assert edge.mean() > 0.1
        assert often == pytest.approx(often[::-1, ::-1], abs=0.06)
    sizes = boxes(targets)
    area, aspect = sizes.prod(axis=-1) / 196, sizes[..., 0] / sizes[..., 1]
    assert 0.12 < area.min() and area.max() < 0.23
    assert 0.6 < aspect.min() and aspect.max() < 1.8
    assert abs(np.corrcoef(area.ravel(), aspect.ravel())[0, 1]) < 0.1


def test_a_small_context_is_drawn_again():
    least = draw("multi_block(min_keep=60)", 500).grid.size - draw("multi_block", 500).counts
    assert least.min() < 60
    kept = 196 - draw("multi_block(min_keep=60)", 500).counts
    assert kept.min() >= 60
    enough = least >= 60
    assert (kept == least)[enough].all()


def test_an_official_batch_that_fills_the_memory_is_refused():
    with pytest.raises(BadInput, match="batch is 4096, too much for the memory with 16 blocks"):
        draw("multi_block(legacy=True, batch=4096, blocks=16)", 1, Grid(64, 64))


def test_legacy_shows_the_three_bugs():
    mask = draw("multi_block(legacy=True)", 6_400)
    assert mask.hidden[:, -1].all() and mask.hidden[:, :, -1].all()  # the last row and column
    assert not mask.targets[..., -1, :].any() and not mask.targets[..., -1].any()
    sizes = boxes(mask.targets).reshape(100, -1, 2)
    assert (sizes == sizes[:, :1]).all()  # one size a batch
    sizes = sizes[:, 0].astype(float)
    area, aspect = sizes.prod(axis=-1), sizes[:, 0] / sizes[:, 1]
    assert np.corrcoef(area, aspect)[0, 1] > 0.5  # one number for scale and aspect
    kept = (~mask.hidden).sum(axis=(1, 2)).reshape(100, 64)
    assert (kept == kept[:, :1]).all()  # cut to the shortest of the batch ...
    whole = draw("multi_block(legacy=True, batch=1)", 6_400)
    assert kept.mean() == pytest.approx(52, abs=2)  # official code: 81 patches shrink to 52
    assert (~whole.hidden).sum(axis=(1, 2)).mean() == pytest.approx(81, abs=2)
    often = (~mask.hidden).mean(axis=0).mean(axis=1)
    full = (~whole.hidden).mean(axis=0).mean(axis=1)
    assert often[0] == pytest.approx(full[0], abs=0.02) and often[12] < 0.1 * full[12]  # ... below


def test_legacy_context_is_always_the_same_square():
    mask = draw("multi_block(legacy=True, batch=1)", 300)
    seen = ~mask.hidden | mask.targets.any(axis=1)
    assert seen[:, :13, :13].all() and not seen[:, 13].any() and not seen[:, :, 13].any()


@pytest.mark.parametrize("shape", [(1, 9), (9, 1), (6, 6), (1, 1)])
def test_legacy_refuses_where_the_official_loop_never_ends(shape):
    with pytest.raises(BadInput, match="official generator never ends on"):
        draw("multi_block(legacy=True)", 1, Grid(*shape))


def test_shares_must_be_in_order():
    with pytest.raises(BadInput, match=r"target_min is 0.3 and target_max 0.2, but the first"):
        MASKS.parse("multi_block(target_min=0.3)")
