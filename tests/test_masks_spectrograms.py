"""Time spans and bands of a spectrogram against TERA's card."""

import math

import numpy as np
import pytest

from workbench.masks import MASKS, Grid, Mask

SPECTROGRAM = Grid(80, 200, patch=1)


def draw(recipe: str, count: int = 1, grid: Grid = SPECTROGRAM, **where) -> Mask:
    return MASKS.parse(recipe).sample(grid, count, **where)


def columns(mask: Mask) -> np.ndarray:
    """The hidden columns, asserting that each is hidden wholly."""
    assert (mask.hidden == mask.hidden[:, :1]).all()
    return mask.hidden[:, 0]


def runs(line: np.ndarray) -> list[int]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], line.astype(int), [0]])))
    return (edges[1::2] - edges[::2]).tolist()


def test_spans_are_seven_long_and_cover_the_share():
    chosen = columns(draw("time_span", 2_000))
    assert (chosen.sum(axis=1) == 30).all()  # 15% of 200: four spans of 7 and one of 2
    lengths = [runs(line) for line in chosen]
    for found in lengths:
        rest = sorted(length % 7 for length in found)
        assert set(rest) <= {0, 2} and rest.count(2) == 1  # spans may touch, but never overlap
    assert np.mean([len(found) for found in lengths]) > 4.3


def test_every_arrangement_of_spans_is_equally_likely():
    """Two spans of 2 in 6 columns: 2 visible columns and 2 spans in any order, 6 ways."""
    chosen = columns(draw("time_span(ratio=0.6667, span=2)", 12_000, Grid(1, 6)))
    kinds, often = np.unique(chosen @ (1 << np.arange(6)), return_counts=True)
    legal = [
        sum(1 << cell for cell in range(6) if cell not in (first, second))
        for first in range(6)
        for second in range(first + 1, 6)
        if first % 2 == 0 and (second - first - 1) % 2 == 0
    ]
    assert kinds.tolist() == sorted(legal) and len(legal) == 6
    assert (((often - 2_000) ** 2) / 2_000).sum() < 20.5  # 0.1% point, 5 degrees of freedom


def test_the_last_column_is_reached():
    """The published start is at most t - span - 1, so that its last column is never chosen."""
    often = columns(draw("time_span(span=5, ratio=0.1)", 8_000, Grid(1, 50))).mean(axis=0)
    assert often[0] == pytest.approx(often[-1], abs=0.01) and often[-1] > 0.01
    starts = np.random.default_rng(0).integers(0, 50 - 5 - 1 + 1, 8_000)
    assert (starts + 4).max() == 48 < 49
    assert often == pytest.approx(often[::-1], abs=0.02)


def test_untouched_images_are_predicted_all_the_same():
    mask, whole = draw("time_span(untouched=0.1)", 3_000), draw("time_span", 3_000)
    assert np.array_equal(mask.targets[:, 0], whole.hidden)
    spared = ~mask.hidden.any(axis=(1, 2))
    assert spared.mean() == pytest.approx(0.1, abs=4.5 * math.sqrt(0.09 / 3_000))
    assert np.array_equal(mask.hidden[~spared], whole.hidden[~spared])
    assert MASKS.parse("time_span(untouched=0.1)").promise == "free"


def test_the_loss_is_on_the_union_of_frames_and_bands():
    spans, bands = draw("time_span(untouched=0.5)", 400), draw("band", 400)
    both = spans | bands
    loss = spans.targets[:, 0] | bands.hidden
    assert (loss >= both.hidden).all()
    spared = ~spans.hidden.any(axis=(1, 2))
    assert (loss[spared] & ~both.hidden[spared]).any(axis=(1, 2)).all()
    assert np.array_equal(loss[~spared], both.hidden[~spared])
    frames, rows = spans.targets[:, 0, 0].sum(axis=1), bands.hidden[:, :, 0].sum(axis=1)
    wanted = frames * 80 + rows * 200 - frames * rows
    assert np.array_equal(loss.sum(axis=(1, 2)), wanted)


def test_a_band_has_any_width_up_to_the_share_and_any_place():
    mask = draw("band", 20_000, Grid(20, 3, patch=1))
    assert (mask.hidden == mask.hidden[:, :, :1]).all()
    rows = mask.hidden[:, :, 0]
    assert max(len(runs(line)) for line in rows[:2_000]) == 1
    widths = np.bincount(rows.sum(axis=1))
    assert len(widths) == 5 and (np.abs(widths / 20_000 - 0.2) < 0.015).all()  # 0 to 4 of 20
    four = rows[rows.sum(axis=1) == 4]
    starts = np.bincount(four.argmax(axis=1), minlength=17)
    assert len(starts) == 17 and (np.abs(starts / len(four) - 1 / 17) < 0.02).all()
    assert rows[:, -1].any()  # the published start ends one row too early


def test_a_whole_band_is_legal():
    """The published code has no start left for a band of all rows."""
    full = draw("band(share=1)", 400, Grid(3, 2))
    assert set(full.counts.tolist()) == {0, 2, 4, 6}
    assert draw("band(share=0)", 5).counts.max() == 0


def test_a_sequence_has_one_row():
    mask = draw("time_span", 9, Grid(1, 100, patch=1, domain="sequence"))
    assert (mask.counts == 15).all()
