"""The measured table of a card: oracles whose rows are known beforehand."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from workbench.data.samples import held_out, photo
from workbench.evaluations.reconstruction import measure
from workbench.masks import Grid, Mask


class Oracle:
    """Stands where a model would: answers with the truth, or with the mean visible colour."""

    grid, size, hash, precision = Grid(4, 4, patch=8), (32, 32), "none", "fp32"

    def __init__(self, perfect: bool) -> None:
        self.perfect = perfect

    def __call__(self, images: np.ndarray, mask: Mask) -> SimpleNamespace:
        answer = images.copy()
        hidden = mask.to_pixels()[0]
        if not self.perfect:
            colour = images[0][:, ~hidden].mean(axis=1)
            answer[0][:, hidden] = colour[:, None]
        return SimpleNamespace(composite=torch.from_numpy(answer))


PICTURES = [(name, photo(name)) for name in ("coffee", "camera")]


def test_a_perfect_model_has_no_error_and_beats_everyone() -> None:
    table = measure(Oracle(perfect=True), PICTURES, name="truth", masks=2)
    assert [row.ratio for row in table.rows] == [0.5, 0.75, 0.9]
    for row in table.rows:
        assert row.errors["model"] == 0
        assert set(row.better.values()) == {1.0}


def test_a_model_that_says_the_mean_colour_equals_the_mean_baseline() -> None:
    table = measure(Oracle(perfect=False), PICTURES, name="mean", ratios=[0.75], masks=3)
    (row,) = table.rows
    assert row.errors["model"] == pytest.approx(row.errors["mean"], rel=1e-5)
    assert set(row.errors) == {"model", "mean", "nearest", "harmonic", "telea"}
    assert row.errors["harmonic"] < row.errors["mean"]


def test_progress_counts_every_photo_and_ratio() -> None:
    seen: list[tuple[int, int]] = []
    measure(
        Oracle(perfect=True), PICTURES, name="truth", ratios=[0.5, 0.75], masks=1,
        report=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_held_out_photos_are_photographs_that_every_installation_has() -> None:
    names = [info.name for info in held_out()]
    assert {"astronaut", "chelsea", "coffee", "rocket", "china", "flower"} <= set(names)
    assert "text" not in names and "chessboard" not in names
