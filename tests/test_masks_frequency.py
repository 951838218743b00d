"""Masks of frequencies against MFM's formula, and the pictures that they leave."""

import numpy as np
import pytest

from workbench.analysis.spectra import spectrum, without
from workbench.data.samples import photo
from workbench.errors import BadInput
from workbench.masks import MASKS, Grid, Mask
from workbench.scenes.frequency import frequency_pictures, spectrum_picture

SPECTRUM = Grid(224, 224, patch=1, domain="frequency")


def draw(recipe: str, count: int = 1, grid: Grid = SPECTRUM, **where) -> Mask:
    return MASKS.parse(recipe).sample(grid, count, **where)


def ring(side: int, inner: float, outer: float) -> np.ndarray:
    """The bins from `inner` to below `outer`, one by one, as the paper describes them."""
    centre = side // 2
    return np.array(
        [
            [inner**2 <= (x - centre) ** 2 + (y - centre) ** 2 < outer**2 for x in range(side)]
            for y in range(side)
        ]
    )


def mirrored(cells: np.ndarray) -> np.ndarray:
    """The bin of -f at the place of f, on a centred spectrum."""
    plain = np.fft.ifftshift(cells, axes=(-2, -1))
    return np.fft.fftshift(np.roll(plain[..., ::-1, ::-1], 1, axis=(-2, -1)), axes=(-2, -1))


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return np.ascontiguousarray(photo("astronaut")[100:324, 100:324])


def test_the_disc_keeps_793_bins():
    low, high = draw("frequency_disc(low=1)"), draw("frequency_disc(low=0)")
    assert (~low.hidden).sum() == 793 and high.counts[0] == 793
    assert round(793 / SPECTRUM.size, 3) == 0.016
    assert np.array_equal(~low.hidden[0], ring(224, 0, 16))
    assert low == ~high


@pytest.mark.parametrize("side", [1, 2, 15, 16])
@pytest.mark.parametrize("radius", [0, 0.5, 1, 3, 7.5, 100])
def test_any_disc_is_the_papers(side, radius):
    disc = ~draw(f"frequency_disc(radius={radius}, low=1)", grid=Grid(side, side)).hidden[0]
    assert np.array_equal(disc, ring(side, 0, radius))


def test_a_ring_is_what_lies_between_two_discs():
    band = draw("frequency_band(inner=10, outer=40, inside=1)")
    assert np.array_equal(~band.hidden[0], ring(224, 10, 40))
    discs = [draw(f"frequency_disc(radius={radius}, low=1)") for radius in (10, 40)]
    assert np.array_equal(~band.hidden, discs[0].hidden & ~discs[1].hidden)
    assert draw("frequency_band(inner=10, outer=40, inside=0)") == ~band
    without_outer = draw("frequency_band(inner=16, outer=999, inside=0)")
    assert without_outer == draw("frequency_disc(radius=16, low=1)")


def test_the_radii_must_be_in_order():
    with pytest.raises(BadInput, match=r"inner is 40.0 and outer 32.0, but inner must not be"):
        MASKS.parse("frequency_band(inner=40)")


def test_a_coin_decides_which_side_is_kept():
    for recipe, share in (("frequency_disc", 0.5), ("frequency_disc(low=0.3)", 0.3)):
        mask = draw(recipe, 4_000, Grid(8, 8, patch=1, domain="frequency"))
        kept = ~mask.hidden[:, 4, 4]
        assert kept.mean() == pytest.approx(share, abs=4.5 * np.sqrt(0.25 / 4_000))


@pytest.mark.parametrize("shape", [(224, 224), (15, 15), (12, 31), (31, 12), (1, 9), (2, 2)])
@pytest.mark.parametrize("recipe", ["frequency_disc(radius={0})", "frequency_band(inner={0})"])
def test_masks_are_symmetric_so_that_pictures_are_real(shape, recipe):
    grid = Grid(*shape, patch=1, domain="frequency")
    mask = draw(recipe.format(max(shape) / 7), 6, grid)
    assert np.array_equal(mirrored(mask.hidden), mask.hidden)
    image = np.random.default_rng(1).random(shape)
    left = np.fft.ifft2(np.fft.ifftshift(spectrum(image) * ~mask.hidden[0]))
    assert np.abs(left.imag).max() < 1e-12
    assert np.abs(left.real - without(image, mask.hidden[0])).max() < 1e-12


def test_frequencies_of_a_wide_picture_are_the_same_both_ways():
    """A disc is round in cycles a pixel: a wave of one length is kept whichever way it runs."""
    disc = ~draw("frequency_disc(radius=8.5, low=1)", grid=Grid(24, 48)).hidden[0]
    assert disc[12, 24 + 8] and not disc[12, 24 + 9]
    assert disc[12 + 4, 24] and not disc[12 + 5, 24]


def test_low_and_high_add_up_before_the_clamp_only(picture):
    image = picture / 255
    low, high = (without(image, draw(f"frequency_disc(low={n})").hidden[0]) for n in (1, 0))
    assert np.abs(low + high - image).max() < 1e-12
    assert np.abs(high.mean(axis=(0, 1))).max() < 1e-12  # no constant part
    assert 0.4 < (high < 0).mean() < 0.6  # about half of the pixels are cut
    assert np.abs(np.clip(low, 0, 1) + np.clip(high, 0, 1) - image).max() > 0.1


def test_removed_bins_come_back_with_the_clamp(picture):
    hidden = draw("frequency_disc(low=0)").hidden[0]
    left = without(picture / 255, hidden)
    assert np.abs(spectrum(left)[hidden]).max() < 1e-9
    assert np.abs(spectrum(np.clip(left, 0, 1))[hidden]).max() > 100


def test_both_pictures_show_what_they_say(picture):
    for low in (0, 1):
        mask = draw(f"frequency_disc(low={low})")
        left = without(picture / 255, mask.hidden[0])
        shown, clamped = frequency_pictures(picture, mask)
        assert shown.dtype == clamped.dtype == np.uint8
        assert shown.shape == clamped.shape == picture.shape
        assert np.abs(clamped / 255 - np.clip(left, 0, 1)).max() <= 0.5 / 255 + 1e-9
        slope = np.polyfit(left.ravel(), shown.ravel() / 255, 1)[0]
        scale = 1 / (max(1, left.max()) - min(0, left.min()))
        assert slope == pytest.approx(scale, rel=0.01)
        order = np.argsort(left.ravel())
        assert (np.diff(shown.ravel()[order].astype(int)) >= 0).all()  # nothing cut, order kept
    nothing = draw("frequency_disc(radius=999, low=1)")
    assert all(np.array_equal(one, picture) for one in frequency_pictures(picture, nothing))


def test_the_spectrum_is_brightest_in_the_middle_and_black_where_hidden(picture):
    whole = spectrum_picture(picture)
    assert whole.shape == picture.shape and whole[112, 112, 0] == 255
    mask = draw("frequency_disc(low=1)")
    left = spectrum_picture(picture, mask)
    assert (left[mask.hidden[0]] == 0).all()
    assert np.array_equal(left[~mask.hidden[0]], whole[~mask.hidden[0]])


@pytest.mark.parametrize(
    ("mask", "sentence"),
    [
        (draw("random", grid=Grid(14, 14)), r"domain 'image', but a frequency mask is wanted"),
        (draw("frequency_disc", 2), r"2 masks on \(224, 224\) do not fit one photo of 224 x 224"),
        (draw("frequency_disc", grid=Grid(64, 64, patch=1, domain="frequency")), "do not fit one"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(picture, mask, sentence):
    with pytest.raises(BadInput, match=sentence):
        frequency_pictures(picture, mask)
