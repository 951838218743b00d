"""Facets of a unit with two known causes, and a climb whose end is known."""

import numpy as np
import pytest
import torch

from workbench.errors import BadInput
from workbench.features import Facet, find_facets, visualise
from workbench.features.units import unit_named, values_of
from workbench.models import load_network

SIDE = 24
AT = np.arange(SIDE)
FAR = np.hypot(AT[:, None] - 11.5, AT[None] - 11.5)
DISC = (FAR < 6).astype(np.float32)
STRIPES = np.broadcast_to(((AT // 3) % 2).astype(np.float32), (SIDE, SIDE))


def detector(pattern):
    """1 on the pattern itself, -1 on its negative, 0 on grey."""
    weights = pattern - pattern.mean()
    weights = weights / np.clip(weights, 0, None).sum() / 3
    made = torch.from_numpy(np.stack([weights] * 3).astype("float32"))
    return lambda x: (x * made).sum((1, 2, 3))


def either(x):
    return torch.maximum(detector(DISC)(x), detector(STRIPES)(x))


def drawn(pattern, count, rng):
    loud = pattern * rng.uniform(0.5, 0.9, (count, 1, 1)) + rng.uniform(0, 0.1, (count, SIDE, SIDE))
    return np.repeat(loud[:, None], 3, 1).astype(np.float32)


def test_a_unit_of_two_causes_has_two_facets_and_both_are_climbed():
    rng = np.random.default_rng(0)
    noise = rng.random((60, 3, SIDE, SIDE), dtype=np.float32)
    images = np.concatenate([drawn(DISC, 30, rng), drawn(STRIPES, 30, rng), noise])
    codes = images.mean(1).reshape(len(images), -1)
    found = find_facets(either, images, codes, count=2, top=60)
    assert [len(each.rows) for each in found] == [30, 30]
    assert {frozenset(each.rows // 30) for each in found} == {frozenset({0}), frozenset({1})}
    best = float(values_of(either, images).max())
    seen = []
    ended = [
        visualise(either, each, steps=80, watch=lambda at, total: seen.append(at)) for each in found
    ]
    for before, after in zip(found, ended, strict=True):
        assert after.value > 0.9 * best and after.value > before.value
        assert 0 <= after.image.min() and after.image.max() <= 1
    climbed = np.stack([each.image for each in ended])
    parts = [values_of(detector(each), climbed).numpy() for each in (DISC, STRIPES)]
    assert parts[0].argmax() != parts[1].argmax(), "each facet climbs to its own cause"
    assert seen[-1] == 80


def test_a_climb_ends_at_the_known_optimum():
    """Of -(x - 0.3)^2 without smoothing it is 0.3 everywhere; a watch can end it."""
    start = np.full((3, 12, 12), 0.8, np.float32)
    first = Facet(np.arange(1), start, start, 0.0)

    def unit(x):
        return 5 - (x - 0.3).square().sum((1, 2, 3))

    ended = visualise(unit, first, steps=300, smooth=0)
    np.testing.assert_allclose(ended.image[:, 4:8, 4:8], 0.3, atol=0.02)
    stopped = visualise(unit, first, steps=300, watch=lambda at, total: at == 2)
    assert 0.7 < stopped.image.mean() < 0.8


@pytest.fixture(scope="module")
def network():
    return load_network("timm:vit_tiny_patch16_224", size=(32, 32), classes=5)


def test_units_are_what_they_are_called(network):
    images = np.random.default_rng(0).random((3, 3, 32, 32), dtype=np.float32)
    with torch.no_grad():
        logits = network.logits(images)
        out = network.module.forward_intermediates(
            network.prepare(images), norm=False, intermediates_only=True
        )[2]
    torch.testing.assert_close(values_of(unit_named(network, "class:0"), images), logits[:, 0])
    found = values_of(unit_named(network, "2:17"), images)
    torch.testing.assert_close(found, out[:, 17].mean((1, 2)))
    for name in ("5", "class:5", "99:0", "latent:3"):
        with pytest.raises(BadInput):
            unit_named(network, name)
    with pytest.raises(BadInput, match="channel 192"):
        values_of(unit_named(network, "0:192"), images)
    with pytest.raises(BadInput, match="fewer facets"):
        find_facets(unit_named(network, "class:0"), images, np.zeros((3, 2)), count=4)
