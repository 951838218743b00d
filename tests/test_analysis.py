"""Metrics against scikit-image and formulas, mask cards against known answers and brute force."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.metrics import structural_similarity

from workbench.analysis.baselines import BASELINES, baseline
from workbench.analysis.mask_card import mask_card
from workbench.analysis.metrics import hidden_metrics, ssim_map
from workbench.errors import BadInput

RNG = np.random.default_rng(7)


def pair(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[:height, :width]
    first = np.stack([np.sin(x / 5), np.cos(y / 7), np.sin((x + y) / 9)]) / 2 + 0.5
    return first, np.clip(first + 0.1 * RNG.standard_normal(first.shape), 0, 1)


@pytest.mark.parametrize("size", [(144, 144), (11, 11), (12, 40), (224, 64)])
def test_the_ssim_map_is_scikit_images(size: tuple[int, int]) -> None:
    first, second = pair(*size)
    _, wanted = structural_similarity(
        first, second, channel_axis=0, gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False, data_range=1, full=True,
    )  # fmt: skip
    found = ssim_map(*(np.moveaxis(x, 0, -1).astype(np.float32) for x in (first, second)))
    assert np.abs(np.moveaxis(found, -1, 0) - wanted).max() < 1e-4


def test_metrics_count_hidden_pixels_only() -> None:
    first, second = pair(48, 60)
    hidden = RNG.random((48, 60)) < 0.4
    composite = np.where(hidden, second, first)
    found = hidden_metrics(first, composite, hidden)
    squares = [
        (first[c, y, x] - second[c, y, x]) ** 2 for y, x in np.argwhere(hidden) for c in range(3)
    ]
    mse = math.fsum(squares) / len(squares)
    _, full = structural_similarity(
        first, composite, channel_axis=0, gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False, data_range=1, full=True,
    )  # fmt: skip
    assert found.pixels == int(hidden.sum())
    assert found.mse == pytest.approx(mse, rel=1e-6)
    assert found.psnr_db == pytest.approx(10 * math.log10(1 / mse), rel=1e-6)
    assert found.ssim == pytest.approx(full[:, hidden].mean(), abs=1e-5)
    last = hidden_metrics(first.transpose(1, 2, 0), composite.transpose(1, 2, 0), hidden)
    assert last == found
    assert hidden_metrics(first, second, hidden).mse == found.mse  # visible pixels do not count


def test_metrics_at_the_edges() -> None:
    first, second = pair(16, 16)
    none = hidden_metrics(first, second, np.zeros((16, 16), bool))
    assert (none.mse, none.psnr_db, none.ssim, none.pixels) == (None, None, None, 0)
    perfect = hidden_metrics(first, first, np.ones((16, 16), bool))
    assert (perfect.mse, perfect.psnr_db, perfect.pixels) == (0, math.inf, 256)
    assert perfect.ssim == pytest.approx(1, abs=1e-6)
    tenth = hidden_metrics(np.zeros((3, 16, 16)), np.full((3, 16, 16), 0.1), np.eye(16, dtype=bool))
    assert tenth.mse == pytest.approx(0.01) and tenth.psnr_db == pytest.approx(20)
    small = hidden_metrics(first[:, :8, :8], second[:, :8, :8], np.ones((8, 8), bool))
    assert small.ssim is None and small.mse is not None
    with pytest.raises(BadInput, match=r"a picture of shape \(3, 16, 16\) does not go with hidden"):
        hidden_metrics(first, second, np.ones((16, 15), bool))


def read(text: str) -> np.ndarray:
    return np.array([[c == "#" for c in line] for line in text.split()])


@pytest.mark.parametrize(
    ("picture", "pieces", "border", "distance"),
    [
        ("... ... ...", 0, 0, None),
        ("### ### ###", 1, 0, None),
        ("... .#. ...", 1, 4, 1.0),
        ("#.. .#. ..#", 3, 8, 1.0),
        ("##. ##. ...", 1, 4, (2 + 1 + 1 + 1) / 4),
        ("###.", 1, 1, 2.0),
        ("#..# .... #..#", 4, 8, 1.0),
        ("#.#.#", 3, 4, 1.0),
    ],
)
def test_known_mask_cards(picture: str, pieces: int, border: int, distance: float | None) -> None:
    card = mask_card(read(picture))
    assert (card.pieces, card.border) == (pieces, border)
    assert card.mean_distance == (None if distance is None else pytest.approx(distance, rel=1e-6))
    assert (card.hidden, card.total) == (picture.count("#"), len(picture.replace(" ", "")))
    assert card.ratio == card.hidden / card.total


@given(st.integers(1, 12), st.integers(1, 12), st.floats(0, 1), st.integers(0, 10_000))
def test_mask_cards_by_brute_force(rows: int, cols: int, ratio: float, seed: int) -> None:
    hidden = np.random.default_rng(seed).random((rows, cols)) < ratio
    cells = {(int(y), int(x)) for y, x in np.argwhere(hidden)}
    shown = {(int(y), int(x)) for y, x in np.argwhere(~hidden)}
    edges, pieces, left = 0, 0, set(cells)
    while left:
        pieces += 1
        front = [left.pop()]
        while front:
            y, x = front.pop()
            near = {(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)}
            edges += len(near & shown)
            front += near & left
            left -= near
    card = mask_card(hidden)
    assert (card.pieces, card.border, card.hidden) == (pieces, edges, len(cells))
    if cells and shown:
        away = [min(math.dist(a, b) for b in shown) for a in cells]
        assert card.mean_distance == pytest.approx(math.fsum(away) / len(away), rel=1e-6)
    else:
        assert card.mean_distance is None


def test_baselines_fill_hidden_pixels_from_visible_ones() -> None:
    first, other = (picture.astype(np.float32) for picture in pair(48, 48))
    hidden = np.kron(RNG.random((6, 6)) < 0.75, np.ones((8, 8), bool))
    errors: dict[str, float] = {}
    for name in BASELINES:
        guess = baseline(name, first, hidden)
        assert np.array_equal(guess[:, ~hidden], first[:, ~hidden])
        assert np.array_equal(guess, baseline(name, np.where(hidden, other, first), hidden))
        errors[name] = hidden_metrics(first, guess, hidden).mse or 0.0
    assert list(errors) == ["mean", "nearest", "harmonic", "telea"]
    assert errors["harmonic"] < errors["nearest"] < errors["mean"]  # a smooth picture
    with pytest.raises(BadInput, match="'psychic' is no baseline; choose one of: mean, nearest"):
        baseline("psychic", first, hidden)
