"""Every fill keeps its promises, and the interpolations solve what they say they solve."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import BadInput
from workbench.fills import FILLS
from workbench.seeds import Noise

NAMES = FILLS.names()
RECIPES = [
    *NAMES,
    'neighbour(method="telea")',
    'neighbour(method="nearest")',
    'neighbour(method="nearest", patch=4)',
    "blur(sigma=0)",
    "blur(sigma=100)",
]


def picture(height: int, width: int, count: int = 1, seed: int = 0) -> np.ndarray:
    noise = Noise(seed, count=count).uniform(3 * height * width)
    return noise.reshape(count, 3, height, width).astype(np.float32)


def covered(height: int, width: int, ratio: float, count: int = 1, seed: int = 0) -> np.ndarray:
    noise = Noise(seed, count=count).uniform(height * width, stream=5)
    return (noise < ratio).reshape(count, height, width)


def test_the_fills_of_the_first_slice_are_there() -> None:
    assert {"grey", "black", "mean", "blur", "noise", "neighbour", "none"} <= set(NAMES)


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("size", [(8, 12), (1, 1), (1, 9), (16, 16)])
@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0])
def test_visible_pixels_stay_to_the_bit_and_values_in_range(
    recipe: str, size: tuple[int, int], ratio: float
) -> None:
    images, hidden = picture(*size, count=3), covered(*size, ratio, count=3)
    before = images.copy()
    filled = FILLS.parse(recipe).apply(images, hidden, seed=3)
    assert filled.shape == images.shape and filled.dtype == np.float32
    assert np.array_equal(images, before)
    visible = np.broadcast_to(~hidden[:, None], images.shape)
    assert np.array_equal(filled[visible].view(np.uint32), images[visible].view(np.uint32))
    assert np.isfinite(filled).all() and filled.min() >= 0 and filled.max() <= 1
    assert np.array_equal(filled, FILLS.parse(recipe).apply(images, hidden, seed=3))


@pytest.mark.parametrize("recipe", RECIPES)
def test_only_fills_that_say_so_see_what_is_hidden(recipe: str) -> None:
    images, hidden = picture(16, 16, count=2), covered(16, 16, 0.6, count=2)
    changed = np.where(hidden[:, None], picture(16, 16, count=2, seed=9), images)
    fill = FILLS.parse(recipe)
    same = np.array_equal(fill.apply(images, hidden), fill.apply(changed, hidden))
    assert same is not fill.sees_hidden


def test_wrong_shapes_are_refused() -> None:
    fill = FILLS.parse("grey")
    for hidden in (np.zeros((1, 8, 9), bool), np.zeros((8, 8), bool), np.zeros((1, 8, 8), int)):
        with pytest.raises(BadInput, match=r"grey: images have the shape \(1, 3, 8, 8\)"):
            fill.apply(picture(8, 8), hidden)


def test_plain_fills_show_what_they_are_called() -> None:
    images, hidden = picture(8, 8, count=2), covered(8, 8, 0.5, count=2)
    shown = {name: FILLS.parse(name).apply(images, hidden) for name in NAMES}
    everywhere = hidden[:, None].repeat(3, axis=1)
    assert (shown["grey"][everywhere] == 0.5).all()
    assert np.allclose(FILLS.parse("grey(level=0.2)").apply(images, hidden)[everywhere], 0.2)
    assert (shown["black"][everywhere] == 0).all()
    assert (shown["none"][everywhere] == 0).all() and FILLS.get("none").transparent
    for i in range(2):
        for c in range(3):
            mean = np.mean([float(v) for v in images[i, c][~hidden[i]]])
            assert np.allclose(shown["mean"][i, c][hidden[i]], mean, atol=1e-6)
    nothing = np.ones((2, 8, 8), bool)
    for name in ("mean", "neighbour"):
        assert (FILLS.parse(name).apply(images, nothing) == 0.5).all()


def test_noise_follows_the_seed_and_is_uniform() -> None:
    images, hidden = picture(64, 64, count=2), np.ones((2, 64, 64), bool)
    first = FILLS.parse("noise").apply(images, hidden, seed=1)
    assert not np.array_equal(first, FILLS.parse("noise").apply(images, hidden, seed=2))
    assert not np.array_equal(first[0], first[1])
    alone = FILLS.parse("noise").apply(images[:1], hidden[:1], seed=1)
    assert np.array_equal(alone[0], first[0])
    share, _ = np.histogram(first, bins=10, range=(0, 1))
    assert np.abs(share / first.size - 0.1).max() < 0.01


def test_blur_is_a_gaussian_of_the_original() -> None:
    images = np.zeros((1, 3, 41, 41), np.float32)
    images[0, :, 20, 20] = 1
    blurred = FILLS.parse("blur(sigma=3)").apply(images, np.ones((1, 41, 41), bool))
    y, x = np.mgrid[-20:21, -20:21]
    bell = np.exp(-(x**2 + y**2) / (2 * 3.0**2)) / (2 * np.pi * 3.0**2)
    assert np.abs(blurred[0, 1] - bell).max() < 2e-4


# --- interpolation -----------------------------------------------------------------------------


def solved_densely(image: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Laplace's equation written out, one row a pixel, and given to a dense solver."""
    height, width = hidden.shape
    matrix, right = np.zeros((hidden.size, hidden.size)), np.zeros(hidden.size)
    for y in range(height):
        for x in range(width):
            own = y * width + x
            if not hidden[y, x]:
                matrix[own, own], right[own] = 1, image[y, x]
                continue
            for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if 0 <= v < height and 0 <= u < width:
                    matrix[own, own] += 1
                    matrix[own, v * width + u] -= 1
    return np.linalg.solve(matrix, right).reshape(height, width)


@given(
    st.integers(1, 9), st.integers(1, 9), st.floats(0.1, 0.95), st.integers(0, 10_000)
)  # fmt: skip
def test_harmonic_equals_a_dense_solution(h: int, w: int, ratio: float, seed: int) -> None:
    images, hidden = picture(h, w, seed=seed), covered(h, w, ratio, seed=seed)
    if hidden.all():
        return
    filled = FILLS.parse("neighbour").apply(images, hidden)
    for c in range(3):
        assert np.allclose(filled[0, c], solved_densely(images[0, c], hidden[0]), atol=2e-6)


def test_harmonic_continues_ramps_exactly_and_leaves_no_residual() -> None:
    y, x = np.mgrid[:144, :144] / 400.0
    ramps = np.stack([x, y, 0.3 + x - y / 2]).astype(np.float32)[None]
    hidden = np.kron(covered(12, 12, 0.75)[0], np.ones((12, 12), bool))[None]
    hidden[:, [0, -1]] = hidden[:, :, [0, -1]] = False  # a ramp needs its ends
    filled = FILLS.parse("neighbour").apply(ramps, hidden)
    assert np.abs(filled - ramps).max() < 1e-6
    rough = FILLS.parse("neighbour").apply(picture(144, 144), hidden)[0].astype(np.float64)
    mean = (rough[:, :-2, 1:-1] + rough[:, 2:, 1:-1] + rough[:, 1:-1, :-2] + rough[:, 1:-1, 2:]) / 4
    assert np.abs(mean - rough[:, 1:-1, 1:-1])[:, hidden[0, 1:-1, 1:-1]].max() < 2e-7


@given(st.integers(2, 40), st.floats(0.1, 0.9), st.integers(0, 10_000))
def test_harmonic_on_a_line_is_linear_interpolation(width: int, ratio: float, seed: int) -> None:
    images, hidden = picture(1, width, seed=seed), covered(1, width, ratio, seed=seed)
    if hidden.all():
        return
    filled = FILLS.parse("neighbour").apply(images, hidden)
    at = np.flatnonzero(~hidden[0, 0])
    for c in range(3):
        wanted = np.interp(np.arange(width), at, images[0, c, 0, at])
        assert np.allclose(filled[0, c, 0], wanted, atol=1e-6)
    standing = FILLS.parse("neighbour").apply(images.swapaxes(2, 3), hidden.swapaxes(1, 2))
    assert np.allclose(standing, filled.swapaxes(2, 3), atol=1e-6)


@pytest.mark.parametrize("patch", [1, 4])
def test_nearest_copies_a_square_that_no_other_beats(patch: int) -> None:
    rows, cols = 6, 5
    images = picture(rows * patch, cols * patch)
    cells = covered(rows, cols, 0.7)[0]
    hidden = np.kron(cells, np.ones((patch, patch), bool))[None]
    fill = FILLS.parse(f'neighbour(method="nearest", patch={patch})')
    squares = (
        each.reshape(3, rows, patch, cols, patch).transpose(1, 3, 0, 2, 4)
        for each in (images[0], fill.apply(images, hidden)[0])
    )
    original, filled = squares
    shown = [tuple(at) for at in np.argwhere(~cells)]
    for y, x in np.argwhere(cells):
        away = {at: (at[0] - y) ** 2 + (at[1] - x) ** 2 for at in shown}
        best = [at for at in shown if away[at] == min(away.values())]
        assert any(np.array_equal(filled[y, x], original[at]) for at in best)


def test_nearest_falls_back_to_pixels_where_no_square_is_whole() -> None:
    images, hidden = picture(8, 8), np.zeros((1, 8, 8), bool)
    hidden[0, ::4, ::4] = True
    by_pixel = FILLS.parse('neighbour(method="nearest")').apply(images, hidden)
    by_square = FILLS.parse('neighbour(method="nearest", patch=4)').apply(images, hidden)
    assert np.array_equal(by_pixel, by_square)
    assert np.array_equal(
        FILLS.parse('neighbour(method="nearest", patch=3)').apply(images, hidden), by_pixel
    )


def test_telea_keeps_channels_apart_and_plain_colours_plain() -> None:
    images = np.empty((1, 3, 24, 24), np.float32)
    images[0] = np.array([0.2, 0.4, 0.8], np.float32)[:, None, None]
    hidden = np.zeros((1, 24, 24), bool)
    hidden[0, 6:18, 6:18] = True
    filled = FILLS.parse('neighbour(method="telea")').apply(images, hidden)
    assert np.abs(filled - images).max() <= 2 / 255
    edge = images.copy()
    edge[:, :, :, 12:] = 1 - edge[:, :, :, 12:]
    filled = FILLS.parse('neighbour(method="telea")').apply(edge, hidden)
    assert np.abs(filled - edge)[..., [8, 16]].max() < 0.05


def test_fills_stand_without_torch() -> None:
    code = (
        "import sys, numpy as np\nfrom workbench.fills import FILLS\n"
        "for name in FILLS.names():\n"
        "    images, hidden = np.zeros((1, 3, 8, 8), np.float32), np.eye(8, dtype=bool)[None]\n"
        "    FILLS.parse(name).apply(images, hidden)\n"
        "assert not {'torch', 'skimage', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
