"""Random-field augmentations: the spectrum asked for, the same for equal seeds, nothing at 0."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from workbench.data.augment import augmented
from workbench.data.random_fields import random_fields, varied
from workbench.errors import BadInput
from workbench.runs.config import RunConfig
from workbench.runs.feeding import Feed
from workbench.runs.setting import setting
from workbench.seeds import Noise


@pytest.mark.parametrize("slope", [0.0, 2.0, 4.0])
def test_power_falls_with_frequency_as_asked(slope: float) -> None:
    side = 32
    found = random_fields(Noise(3, count=300), 2, side, slope).double().numpy()
    power = np.square(np.abs(np.fft.fft2(found))).mean((0, 1)).ravel()
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side))).ravel()
    keep = frequency > 0
    fitted = np.polyfit(np.log(frequency[keep]), np.log(power[keep]), 1)[0]
    assert fitted == pytest.approx(-slope, rel=0.05, abs=0.02)
    assert np.abs(found.mean((2, 3))).max() < 1e-5
    assert np.square(found).mean() == pytest.approx(1 if slope else 1 - 1 / side**2, rel=0.05)


def test_fields_are_gaussian() -> None:
    values = random_fields(Noise(1, count=400), 1, 32, 4.0)[:, 0, 5, 9].double()
    assert values.mean().abs() < 0.15
    assert (values**4).mean() / (values**2).mean() ** 2 == pytest.approx(3, abs=0.6)


def test_strength_0_changes_nothing_and_a_row_depends_on_its_own_seed_alone() -> None:
    pixels = torch.rand(6, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    noise = Noise(5, step=2, count=6)
    assert varied(pixels, noise, 0.0) is pixels
    whole = varied(pixels, noise, 1.0)
    assert whole.shape == pixels.shape and 0 <= whole.min() and whole.max() <= 1
    assert torch.equal(whole, varied(pixels, noise, 1.0))
    alone = varied(pixels[4:5], noise.rows(4, 5), 1.0)
    torch.testing.assert_close(alone[0], whole[4], rtol=0, atol=1e-5)
    assert (varied(pixels, Noise(6, step=2, count=6), 1.0) - whole).abs().mean() > 0.01
    weak, strong = ((varied(pixels, noise, s) - pixels).abs().mean() for s in (0.02, 1.0))
    assert 0 < weak < strong / 4


def test_hue_turns_by_the_stated_angle_and_grey_stays_grey() -> None:
    side = 64
    ramp = torch.linspace(0.4, 0.6, side).expand(200, 1, side, side).contiguous()
    noise = Noise(0, count=200)
    moved = varied(ramp.repeat(1, 3, 1, 1), noise, 1e-2)
    assert (moved - moved[:, :1]).abs().max() < 1e-5
    color = torch.tensor([0.6, 0.4, 0.5]).view(1, 3, 1, 1).expand(200, -1, side, side).contiguous()
    turned = varied(color, noise, 1e-2)
    share = turned / turned.mean(1, keepdim=True)
    angle = torch.atan2((share[:, 0] - 1) + 2 * (share[:, 1] - 1), (share[:, 0] - 1) * 3**0.5)
    start = np.arctan2(0.2 - 0.4, 0.2 * 3**0.5)
    assert (angle - start).std().item() == pytest.approx(0.5e-2, rel=0.15)


def test_a_run_takes_the_option_and_its_batches_differ(small: Callable[..., RunConfig]) -> None:
    config = small(crop=1.0, batch=8)
    parts = setting(config)
    pictures = parts.dataset.load(config.size)
    cpu = torch.device("cpu")
    plain, changed = (
        Feed(small(crop=1.0, batch=8, field=value), parts.objective, pictures, cpu).batch(3)
        for value in (0.0, 0.5)
    )
    assert np.array_equal(plain.ids, changed.ids)
    assert (plain.images - changed.images).abs().mean() > 0.01
    raw = torch.from_numpy(pictures.images[plain.ids])
    noise = Noise(config.seed, 3, 0, 8).branch(12)
    bare = augmented(raw, noise, config.size, crop=1.0, flip=config.flip, color=config.color)
    assert torch.equal(plain.images, bare)
    assert torch.equal(changed.images, varied(bare, noise, 0.5))


def test_pairs_are_not_warped_apart(small: Callable[..., RunConfig]) -> None:
    with pytest.raises(BadInput, match=r"field is 0\.5, but only single pictures"):
        setting(small(objective="croco()", data="drawn_pairs()", mask="", field=0.5))
