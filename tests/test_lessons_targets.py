"""What targets keep of a picture, against closed forms; and the pictures that show it."""

import io

import numpy as np
import pytest
from PIL import Image

from workbench.analysis.targets_seen import (
    RADIUS,
    describe,
    directions,
    distance,
    main_colours,
    noticed,
    split_spectrum,
)
from workbench.lessons.targets import (
    OTHERS,
    changes,
    cut,
    show_changes,
    show_directions,
    show_features,
    show_frequencies,
    show_noticed,
    show_pixels,
    show_places,
)
from workbench.plots.directions import directions_picture


def wave(side=144, cycles=4, across=True, light=60.0):
    at = np.arange(side) * 2 * np.pi * cycles / side
    values = 128 + light * np.sin(at)
    plane = np.tile(values, (side, 1)) if across else np.tile(values[:, None], (1, side))
    return np.rint(plane)[..., None].repeat(3, 2).astype(np.uint8)


def test_distances_are_those_of_the_losses():
    one, other = np.ones((1, 4, 2), np.float32), np.full((1, 4, 2), 3, np.float32)
    assert distance("pixels", one, other) == 4 == distance("HOG", one, other)
    assert distance("frequencies", one, other) == pytest.approx(8**0.5)
    assert distance("features", one, other) == pytest.approx(0, abs=1e-6)
    square = np.array([[[1.0, 1.0]]], np.float32), np.array([[[1.0, -1.0]]], np.float32)
    assert distance("features", *square) == pytest.approx(2)
    assert distance("features", square[0], -square[0]) == pytest.approx(4)


def test_a_wave_stands_on_its_side_of_the_disc():
    slow, fast = wave(cycles=4), wave(cycles=20)
    low, high, share = split_spectrum(slow)
    assert share > 0.999 and np.abs(low.astype(int) - slow).max() <= 2 and high.std() < 1.5
    low, high, share = split_spectrum(fast)
    assert share < 0.001 and low.std() < 1.5
    assert np.corrcoef(high[..., 0].ravel(), fast[..., 0].ravel())[0, 1] > 0.999


def test_the_bins_hold_the_energy_of_the_high_frequencies():
    """Parseval: what the orthonormal transform keeps beyond the disc is what the picture has."""
    fast = wave(cycles=20, light=100)
    bins = describe([fast])["frequencies"]
    pixels = fast.astype(float) / 255
    energy = (((pixels - pixels.mean()) / np.array([0.229, 0.224, 0.225])) ** 2).sum()
    assert float(np.square(bins).sum()) == pytest.approx(energy, rel=0.01)
    assert bins.shape[2] == 144 * 144 - sum(
        x * x + y * y < RADIUS**2 for x in range(-72, 72) for y in range(-72, 72)
    )


def test_directions_point_across_edges_and_are_drawn_along_them():
    upright = directions(wave(across=True))  # brightness changes from left to right
    assert upright.shape == (18, 18, 9)
    assert upright[:, 1:-1].sum((0, 1)).argmax() == 0
    flat = directions(wave(across=False))  # and here downwards, 90 degrees: bin 4 of 9
    assert flat[1:-1].sum((0, 1)).argmax() == 4
    drawn = directions_picture(flat, 16)[..., 0].astype(int)
    assert drawn.shape == (288, 288)
    cell = drawn[5 * 16 : 6 * 16, 5 * 16 : 6 * 16]
    assert cell[8].sum() > 3 * cell[:, 8].sum(), "strokes lie along the edge"
    assert directions_picture(np.zeros((2, 2, 9)), 8).max() == 0


def test_what_targets_forgive():
    """Brightness leaves HOG and normalised pixels alone, a negative HOG; a shift turns phases."""
    seen = wave(cycles=5)
    other = wave(cycles=7, across=False)
    found = noticed(seen, {"same": seen, "dark": (seen * 0.5).astype(np.uint8),
                           "negative": 255 - seen}, [other])  # fmt: skip
    assert max(map(abs, found["same"].values())) < 1e-6
    assert found["dark"]["HOG"] < 0.03 and found["dark"]["normalised pixels"] < 0.05
    assert found["dark"]["pixels"] > 0.2
    assert found["negative"]["HOG"] < 0.01 < 1 < found["negative"]["pixels"]


def test_main_colours_keep_what_varies():
    features = np.zeros((12, 5), np.float32)
    features[:, 2] = np.arange(12)
    red = main_colours(features + np.random.default_rng(0).normal(0, 1e-3, (12, 5)), 3, 4)[..., 0]
    order = np.argsort(red.ravel())
    assert order.tolist() in (list(range(12)), list(range(11, -1, -1)))


def test_the_claims_of_the_lesson():
    """As its text says them, on the photo that it shows."""
    shown = show_noticed("astronaut")
    heads, rows = shown.heads, shown.rows
    table = {row[0]: dict(zip(heads[1:], (int(cell[:-1]) for cell in row[1:]), strict=True))
             for row in rows}  # fmt: skip
    assert [k for k, v in table["negative"].items() if v < 5] == ["HOG"]
    moved = table["one pixel to the right"]
    assert max(moved, key=lambda kind: moved[kind]) == "frequencies" and moved["frequencies"] > 40
    assert table["darker"]["HOG"] < 5 < 20 < table["blurred"]["HOG"]
    assert table["grain"]["features"] < 5 and table["mirrored"]["features"] > 60
    rows_of = show_features(["astronaut"], "default").rows[0].tiles[1][1][6::12, 6::12, 0]
    halves = rows_of[:6].mean(), rows_of[6:].mean()
    assert abs(halves[0] - halves[1]) > 60, "the teacher tells the upper half from the lower"


def test_pictures_of_the_lesson():
    assert len(changes(cut("coffee"))) == 9 and OTHERS == 6
    places = show_places("coffee")
    told = places.rows[0].footer.partition(": ")[2].split(", ")
    assert sorted(map(int, told)) == list(range(16))
    photo, mixed = (pixels for _, pixels in places.rows[0].tiles)
    first = int(told[0])
    row, col = divmod(first, 4)
    there = photo[row * 36 : row * 36 + 36, col * 36 : col * 36 + 36]
    np.testing.assert_array_equal(mixed[:36, :36], there)
    for shown in (
        places, show_pixels("coffee"), show_directions("coffee"), show_frequencies("coffee", 10),
        show_changes("coffee"),
    ):  # fmt: skip
        picture = Image.open(io.BytesIO(shown._repr_png_()))
        assert 300 < picture.width <= 900
