"""Drawn scenes are what they say: labels, depth, stereo and motion agree with each other."""

import numpy as np
import pytest

from workbench.data.drawn_land import PARALLAX
from workbench.data.drawn_things import ABOVE, BELOW, BESIDE, KINDS, Thing, outline
from workbench.data.scenes_drawn import FRAMES, DrawnScene, scene
from workbench.errors import BadInput

SEEDS = range(6)


def test_equal_seeds_draw_equal_scenes_and_others_differ() -> None:
    first, again, other = scene(3, 96), scene(3, 96), scene(4, 96)
    for name in ("image", "objects", "depth", "disparity"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
    assert np.array_equal(first.right.image, again.right.image)
    assert np.array_equal(first.clip.frames, again.clip.frames)
    assert np.abs(first.image.astype(int) - other.image).mean() > 10


@pytest.mark.parametrize("seed", SEEDS)
def test_shapes_and_types(seed: int) -> None:
    drawn = scene(seed, 64)
    assert drawn.image.shape == (64, 64, 3) and drawn.image.dtype == np.uint8
    assert drawn.objects.shape == (64, 64) and drawn.depth.dtype == np.float32
    assert drawn.right.image.shape == (64, 64, 3)
    assert drawn.clip.frames.shape == (FRAMES, 64, 64, 3)
    assert drawn.clip.objects.shape == (FRAMES, 64, 64)
    assert drawn.objects.max() <= len(drawn.names) and set(drawn.names) <= set(KINDS)
    assert drawn.image.std() > 20 and drawn.depth.min() >= 1 and drawn.depth.max() == 60


@pytest.mark.parametrize("seed", SEEDS)
def test_the_nearer_thing_hides_the_farther_one(seed: int) -> None:
    """Drawn alone, a thing covers at least what it shows; where two meet, the nearer one shows."""
    drawn = scene(seed, 96)
    alone = np.stack(
        [DrawnScene(seed, 96, drawn.land, (thing,)).objects == 1 for thing in drawn.things]
    )
    away = np.array([thing.depth for thing in drawn.things])
    nearest = np.where(alone, away[:, None, None], np.inf)
    wanted = np.where(alone.any(0), nearest.argmin(0) + 1, 0)
    assert np.array_equal(drawn.objects, wanted)
    things = drawn.objects > 0
    assert np.allclose(drawn.depth[things], nearest.min(0)[things])


@pytest.mark.parametrize("seed", SEEDS)
def test_the_right_picture_is_the_left_one_shifted_by_disparity(seed: int) -> None:
    size = 256
    drawn = scene(seed, size)
    assert np.allclose(drawn.disparity, PARALLAX * size / drawn.depth)
    rows, cols = np.mgrid[:size, :size]
    there = cols - drawn.disparity
    near = np.round(there).astype(int)
    inside = (near >= 0) & (near < size)
    near = near.clip(0, size - 1)
    # A pixel is seen by both cameras where the right one sees the same depth at that place.
    seen = inside & np.isclose(drawn.right.depth[rows, near], drawn.depth, rtol=0.02)
    assert seen[inside].mean() > 0.85
    same = drawn.right.objects[rows, near] == drawn.objects
    assert same[seen].mean() > 0.998
    # Colours agree as well as a shift by a fraction of a pixel allows, far better than unshifted.
    error = np.abs(drawn.right.image[rows, near].astype(int) - drawn.image)[seen].mean()
    unshifted = np.abs(drawn.right.image.astype(int) - drawn.image)[seen].mean()
    assert error < 8 and error < 0.6 * unshifted
    # What the right camera sees of a thing lies left of where the left one sees it, by B / depth.
    for k, thing in enumerate(drawn.things, start=1):
        alone = DrawnScene(seed, size, drawn.land, (thing,))
        pairs = ((drawn.objects, alone.objects), (drawn.right.objects, alone.right.objects))
        uncovered = all(np.array_equal(every == k, own == 1) for every, own in pairs)
        left, right = drawn.objects == k, drawn.right.objects == k
        cut = left[:, [0, -1]].any() or right[:, [0, -1]].any()
        if uncovered and not cut and left.any():
            shift = np.argwhere(left)[:, 1].mean() - np.argwhere(right)[:, 1].mean()
            assert shift == pytest.approx(PARALLAX * size / thing.depth, abs=1)


def test_no_outline_reaches_beyond_the_part_that_is_drawn() -> None:
    u, v = np.meshgrid(np.linspace(-2, 2, 101), np.linspace(-2, 2, 101))
    outside = (np.abs(u) > BESIDE) | (v > ABOVE) | (v < -BELOW)
    for kind in KINDS:
        for key in range(0, 2**16, 701):
            thing = Thing(kind, 0.5, 1.5, 0.0, 0.3, 0, key, 0.0)
            inside = outline(thing, u, v) < 0
            assert inside.any() and not (inside & outside).any(), (kind, key)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_clip_starts_with_the_picture_and_moves_only_what_moves(seed: int) -> None:
    drawn = scene(seed, 96)
    clip = drawn.clip
    assert np.array_equal(clip.frames[0], drawn.image)
    assert np.array_equal(clip.objects[0], drawn.objects)
    moving = [k for k, name in enumerate(drawn.names, 1) if name in ("ball", "balloon", "kite")]
    assert moving
    still = ~np.isin(clip.objects, moving).any(0)
    labels = clip.objects[:, still]
    assert (labels == labels[0]).all()
    first, last = np.isin(clip.objects[0], moving), np.isin(clip.objects[-1], moving)
    assert (first != last).sum() > 20
    steps = np.abs(np.diff(clip.frames.astype(int), axis=0)).mean(axis=(1, 2, 3))
    assert (steps > 0.05).all() and (steps < 12).all()  # it moves, and it does not jump


def test_size_changes_the_resolution_not_the_scene() -> None:
    small, large = scene(2, 64), scene(2, 256)
    assert small.things == large.things
    shrunk = large.image.reshape(64, 4, 64, 4, 3).mean(axis=(1, 3))
    assert np.abs(shrunk - small.image).mean() < 8
    share = (large.objects.reshape(64, 4, 64, 4)[:, 1, :, 1] == small.objects).mean()
    assert share > 0.95


def test_outlines_are_smooth() -> None:
    """At the outlines a small picture is close to a large one averaged: no jagged steps."""
    small, large = scene(0, 96), scene(0, 768)
    averaged = large.image.reshape(96, 8, 96, 8, 3).mean(axis=(1, 3))
    kept = large.image[4::8, 4::8].astype(float)  # one pixel of 64: jagged
    around = [np.roll(small.objects, shift, axis) for shift in (-1, 1) for axis in (0, 1)]
    outlines = np.any([small.objects != other for other in around], axis=0)
    error = np.abs(small.image - averaged)[outlines].mean()
    assert error < 0.5 * np.abs(kept - averaged)[outlines].mean()


@pytest.mark.parametrize(("seed", "size"), [(-1, 64), (0, 8), (0, 4096), (0.5, 64)])
def test_seeds_and_sizes_out_of_range_are_refused(seed: int, size: int) -> None:
    with pytest.raises(BadInput, match="but must be a whole number from"):
        _ = scene(seed, size).image
