"""Drawn scenes: textured things in a landscape, with exact masks, depth, stereo and motion."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from workbench.data.drawn_land import PARALLAX, THEMES, Land, colour
from workbench.data.drawn_patterns import Field, smooth
from workbench.data.drawn_things import (
    ABOVE,
    BELOW,
    BESIDE,
    FLYING,
    HEIGHTS,
    KINDS,
    PAINTS,
    Kind,
    Thing,
    outline,
    paint,
    turned,
)
from workbench.seeds import Noise, whole

FRAMES = 16
SMALLEST, LARGEST = 16, 2048
GRAIN = 0.012
ALWAYS: tuple[Kind, ...] = ("ball", "balloon", "house")
STANDING: tuple[Kind, ...] = tuple(kind for kind in KINDS if kind not in FLYING)


@dataclass(frozen=True)
class View:
    """One rendered picture: image uint8 [h, w, 3], objects uint8 [h, w], depth float32 [h, w]."""

    image: NDArray[np.uint8]
    objects: NDArray[np.uint8]
    depth: NDArray[np.float32]


@dataclass(frozen=True)
class Clip:
    """Frames uint8 [t, h, w, 3] and their label maps uint8 [t, h, w]; frame 0 is the image."""

    frames: NDArray[np.uint8]
    objects: NDArray[np.uint8]


@dataclass(frozen=True)
class DrawnScene:
    """A scene that is known exactly because it was computed.

    `names[k - 1]` is what label k is. Nothing here is estimated: a pixel bears the label and the
    depth of the nearest thing whose outline holds the pixel's centre.
    """

    seed: int
    size: int
    land: Land
    things: tuple[Thing, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """What each label is, from label 1 on; label 0 is the land."""
        return tuple(thing.kind for thing in self.things)

    @cached_property
    def left(self) -> View:
        """The left camera's picture."""
        return self._render(self.things, camera=0.0)

    @property
    def image(self) -> NDArray[np.uint8]:
        """The picture, uint8 [h, w, 3]."""
        return self.left.image

    @property
    def objects(self) -> NDArray[np.uint8]:
        """Label map of the picture, uint8 [h, w]."""
        return self.left.objects

    @property
    def depth(self) -> NDArray[np.float32]:
        """Depth of the picture, float32 [h, w]; 1 is the ground at the lower edge, 60 the sky."""
        return self.left.depth

    @property
    def disparity(self) -> NDArray[np.float32]:
        """Left x minus right x of each pixel of the picture, in pixels, float32 [h, w]."""
        return np.float32(PARALLAX * self.size) / self.depth

    @cached_property
    def right(self) -> View:
        """What a second camera to the right sees: drawn anew, not warped, so nothing is missing."""
        return self._render(self.things, camera=1.0)

    @cached_property
    def clip(self) -> Clip:
        """Sixteen frames: balls roll and bounce, balloons and kites drift."""
        views = [self.frame(t) for t in range(FRAMES)]
        return Clip(
            np.stack([view.image for view in views]), np.stack([view.objects for view in views])
        )

    def frame(self, number: int) -> View:
        """One frame of the clip; 0 is the picture itself."""
        if number == 0:
            return self.left
        return self._render(tuple(moved(each, number) for each in self.things), 0.0)

    @cached_property
    def _lattice(self) -> tuple[Field, Field]:
        """Coordinates of pixel centres in picture heights: x and y, [h, w] each."""
        axis = (np.arange(self.size, dtype=np.float32) + np.float32(0.5)) / np.float32(self.size)
        x, y = np.meshgrid(axis, axis)
        return x, y

    @cached_property
    def _left_land(self) -> tuple[Field, Field]:
        return self.land.paint(*self._lattice, camera=0.0)  # the same in every frame of the clip

    def _render(self, things: tuple[Thing, ...], camera: float) -> View:
        x, y = self._lattice
        land = self._left_land if camera == 0 else self.land.paint(x, y, camera)
        painted, depth = (part.copy() for part in land)
        objects = np.zeros(x.shape, np.uint8)
        for thing in things:
            self._shade(painted, thing, camera)
        order = sorted(range(len(things)), key=lambda k: -things[k].depth)
        for k in order:
            self._place(painted, objects, depth, things[k], k + 1, camera)
        painted *= colour(self.land.theme.light)
        across, down = x - np.float32(0.5), y - np.float32(0.5)
        painted *= (1 - 0.28 * (across * across + down * down))[..., None]
        grain = Noise(self.seed).normal(painted.size, stream=2 + int(camera))
        painted += np.float32(GRAIN) * grain.reshape(painted.shape)
        image = (np.clip(painted, 0, 1) * 255 + 0.5).astype(np.uint8)
        return View(image, objects, depth)

    def _shade(self, painted: Field, thing: Thing, camera: float) -> None:
        """Lay a thing's soft shadow on the ground, away from the light."""
        x, y = self._lattice
        first = int(max(0.0, self.land.horizon) * self.size) + 1
        x, y = x[first:], y[first:]
        away = self.land.ground_depth(y)
        across = (x + np.float32(camera * PARALLAX) / away - 0.5) * away
        middle = (thing.x - 0.5) * thing.depth
        wide = 0.55 * thing.size
        height = thing.lift + (0.3 * thing.size if thing.kind in FLYING else 0.0)
        u = (across - middle - 0.35 * thing.size - 0.5 * height) / wide
        v = (away - thing.depth + 0.05) / (0.35 * wide + 0.1)
        soft = np.float32(0.5 / (1 + 2 * height)) * smooth(1.25, 0.35, np.hypot(u, v))
        painted[first:] *= (1 - soft)[..., None]

    def _place(
        self, painted: Field, objects: NDArray[np.uint8], depth: Field, thing: Thing, label: int,
        camera: float,
    ) -> None:  # fmt: skip
        scale = thing.size / thing.depth
        x0 = thing.x - camera * PARALLAX / thing.depth
        y0 = self.land.ground_y(thing.depth) - thing.lift / thing.depth
        n = self.size
        rows = self._span(y0 - ABOVE * scale, y0 + BELOW * scale)
        cols = self._span(x0 - BESIDE * scale, x0 + BESIDE * scale)
        x, y = (each[rows, cols] for each in self._lattice)
        if x.size == 0:
            return
        u, v = (x - np.float32(x0)) / np.float32(scale), (np.float32(y0) - y) / np.float32(scale)
        if thing.kind == "kite":
            u, v = turned(u, v, thing.phase)
        edge = 1 / (n * scale)
        distance = outline(thing, u, v)
        cover = np.clip(0.5 - distance / np.float32(edge), 0, 1)[..., None]
        colours = self.land.haze(paint(thing, u, v, edge), thing.depth)
        painted[rows, cols] += (colours - painted[rows, cols]) * cover
        objects[rows, cols][distance < 0] = label
        depth[rows, cols][distance < 0] = thing.depth

    def _span(self, low: float, high: float) -> slice:
        """The rows or columns from low to high, in picture heights."""
        return slice(max(0, int(low * self.size) - 1), max(0, int(high * self.size) + 2))


def scene(seed: int, size: int = 256) -> DrawnScene:
    """Make up a scene; pictures are drawn when they are first asked for.

    Args:
        seed: any whole number from 0; equal seeds give equal scenes.
        size: side of the square picture in pixels, 16 to 2,048; the scene itself stays the same.

    Raises:
        BadInput: a seed or a size out of range.
    """
    size = whole("size", size, SMALLEST, LARGEST)
    dice = iter(Noise(seed).uniform(512, stream=1)[0].tolist())
    theme = THEMES[int(next(dice) * len(THEMES))]
    horizon = 0.40 + 0.14 * next(dice)
    sun = (0.12 + 0.3 * next(dice), 0.08 + 0.12 * next(dice))
    land = Land(theme, horizon, int(next(dice) * 2**20), sun)
    count = 4 + int(next(dice) * 3)
    kinds: list[Kind] = list(ALWAYS)
    kinds.extend(STANDING[int(next(dice) * len(STANDING))] for _ in range(count - 1))
    kinds.append("kite" if next(dice) < 0.5 else "tree")
    # Things share the width fairly: each gets a place of its own, in random order.
    places = sorted(range(len(kinds)), key=lambda _: next(dice))
    first_paint = int(next(dice) * len(PAINTS))
    things: list[Thing] = []
    for k, kind in enumerate(kinds):
        x = (places[k] + 0.2 + 0.6 * next(dice)) / len(kinds)
        things.append(_thing(kind, x, first_paint + k, [next(dice) for _ in range(6)]))
    return DrawnScene(seed, size, land, tuple(things))


def _thing(kind: Kind, x: float, paint_number: int, dice: list[float]) -> Thing:
    depth = {"house": 3.2, "pine": 2.2, "tree": 2.2, "balloon": 2.0, "kite": 1.6}.get(kind, 1.25)
    depth += dice[0] * (1.6 if kind in ("house", "pine", "tree") else 0.9)
    size = HEIGHTS[kind] * (0.85 + 0.4 * dice[1]) * (1.6 if depth > 2 else 1.0)
    lift = (0.75 + 0.5 * dice[2]) if kind in FLYING else 0.0
    speed, bounce = 0.0, 0.0
    if kind == "ball":
        speed, bounce = (0.014 + 0.012 * dice[3]) * (1 if x < 0.5 else -1), 0.16 * dice[5]
    elif kind in FLYING:
        speed = 0.010 * (1 if x < 0.5 else -1)
    key = int(dice[4] * 2**16)
    phase = (dice[3] - 0.5) * (0.8 if kind == "kite" else 6.0)
    return Thing(kind, x, depth, lift, size, paint_number, key, phase, speed, bounce)


def moved(thing: Thing, frame: int) -> Thing:
    """The thing `frame` frames later; what cannot move stays."""
    way = thing.speed * frame
    x = thing.x + way / thing.depth
    if thing.kind == "ball":
        hop = thing.bounce * abs(np.sin(np.pi * frame / 8))
        return replace(thing, x=x, lift=hop, phase=thing.phase + 2 * way / thing.size)
    if thing.kind in FLYING:
        sway = 0.03 * np.sin(2 * np.pi * frame / FRAMES)
        return replace(thing, x=x, lift=thing.lift + sway, phase=thing.phase + 0.5 * sway)
    return thing
