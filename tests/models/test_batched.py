"""One picture under many masks: the same numbers as one mask at a time, whatever the batch."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from workbench.masks import Grid
from workbench.models import load_reconstructor
from workbench.models.batched import MOST, PictureUnderMasks, batch_size

GRID = Grid(4, 6, patch=4)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("kind", ["saved", "saved_norm_pix"])
def test_many_masks_equal_one_call_each(
    kind: str,
    precision: Literal["fp32", "bf16"],
    draw: Callable[..., Any],
    request: pytest.FixtureRequest,
) -> None:
    model = load_reconstructor(request.getfixturevalue(kind), device="cpu", precision=precision)
    picture = np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8)
    masks = draw(4, 6, 4, [15] * 9)[1]
    hidden = masks.hidden.reshape(9, -1)
    under = PictureUnderMasks(model, picture, GRID)
    errors, composites = under.errors(hidden), under.composites(hidden)
    assert (errors[~hidden] == 0).all()
    for row in range(9):
        alone = model.reconstruct_picture(picture, masks[row])
        close = 1e-5 if precision == "fp32" else 2e-3
        np.testing.assert_allclose(
            errors[row][hidden[row]], alone.error[masks.hidden[row]], atol=close
        )
        assert np.abs(composites[row].astype(int) - alone.composite).max() <= 1
        seen = ~masks[row].to_pixels()[0]
        assert (composites[row][seen] == picture[seen]).all()


def test_the_bundled_model_gives_equal_bits_in_any_batch() -> None:
    """Batches of one, of seven, and of both cores' halves."""
    from workbench.masks import MASKS
    from workbench.scenes import SceneSpec, preview

    model = load_reconstructor("default", device="cpu")
    seen = preview(SceneSpec())
    hidden = MASKS.parse("random(ratio=0.75)").sample(seen.grid, count=24).hidden.reshape(24, -1)
    under = PictureUnderMasks(model, seen.photo, seen.grid)
    whole = under.errors(hidden)
    sevens = np.concatenate([under.errors(hidden[at : at + 7]) for at in range(0, 24, 7)])
    ones = np.concatenate([under.errors(hidden[at : at + 1]) for at in range(6)])
    assert (whole == sevens).all()
    assert (whole[:6] == ones).all()


def test_calls_hold_less_where_pictures_cost_more(saved: Path) -> None:
    small, bundled = load_reconstructor(saved), load_reconstructor("default")
    assert batch_size(small, 24) == MOST
    assert 8 <= batch_size(bundled, 144) < MOST
    assert batch_size(bundled, 10**6) == 1


def test_calls_get_shorter_where_the_machine_is_slow(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = np.zeros((16, 24, 3), np.uint8)
    under = PictureUnderMasks(load_reconstructor(saved), picture, GRID)
    hidden = np.zeros((MOST, 24), bool)
    hidden[:, :9] = True
    assert under.batch == MOST
    clock = iter(range(1000))
    monkeypatch.setattr("workbench.models.batched.time.perf_counter", lambda: float(next(clock)))
    under.errors(hidden)  # took a second by this clock
    assert under.batch == 6
    monkeypatch.setattr("workbench.models.batched.time.perf_counter", lambda: next(clock) / 1e6)
    under.errors(hidden)
    assert under.batch == 10
