"""The land of a drawn scene: sky, hills and ground, with exact depth.

Coordinates: x and y in picture heights, y downwards. Ground that is seen at height y below the
horizon lies at depth (1 - horizon) / (y - horizon): 1 at the lower edge of the picture. A second
camera further right sees everything at depth z shifted by `parallax / z` to the left.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from workbench.data.drawn_patterns import Field, checks, clouds, mix, smooth, value_noise

FAR = 60.0
PARALLAX = 0.09
Ground = Literal["grass", "tiles", "sand", "snow"]
Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Theme:
    """Colours of an hour and a place, sRGB from 0 to 1."""

    sky: tuple[Colour, Colour]
    haze: Colour
    hills: tuple[Colour, Colour]
    ground: tuple[Colour, Colour]
    kind: Ground
    light: Colour = (1.0, 1.0, 1.0)


THEMES = (
    Theme(((0.24, 0.50, 0.84), (0.80, 0.91, 0.97)), (0.78, 0.87, 0.94),
          ((0.42, 0.58, 0.62), (0.33, 0.52, 0.38)), ((0.36, 0.58, 0.22), (0.58, 0.72, 0.32)),
          "grass"),
    Theme(((0.25, 0.22, 0.46), (0.99, 0.71, 0.46)), (0.95, 0.70, 0.55),
          ((0.47, 0.33, 0.47), (0.35, 0.25, 0.38)), ((0.76, 0.55, 0.38), (0.93, 0.76, 0.54)),
          "sand", (1.0, 0.90, 0.80)),
    Theme(((0.52, 0.66, 0.82), (0.93, 0.93, 0.90)), (0.87, 0.90, 0.93),
          ((0.60, 0.68, 0.76), (0.45, 0.55, 0.62)), ((0.80, 0.85, 0.92), (0.96, 0.97, 0.99)),
          "snow", (0.98, 0.99, 1.0)),
    Theme(((0.16, 0.56, 0.66), (0.96, 0.90, 0.74)), (0.88, 0.88, 0.80),
          ((0.38, 0.60, 0.62), (0.28, 0.47, 0.46)), ((0.70, 0.45, 0.36), (0.92, 0.86, 0.76)),
          "tiles"),
)  # fmt: skip


def colour(value: Colour) -> Field:
    """A colour as float32 [3]."""
    return np.array(value, np.float32)


@dataclass(frozen=True)
class Land:
    """Sky, two ranges of hills and a plane of ground under one theme."""

    theme: Theme
    horizon: float
    key: int
    sun: tuple[float, float]

    def ground_y(self, depth: float) -> float:
        """Height in the picture of ground at this depth."""
        return self.horizon + (1 - self.horizon) / depth

    def ground_depth(self, y: Field) -> Field:
        """Depth of ground seen at y; FAR at and above the horizon."""
        return np.float32(1 - self.horizon) / np.maximum(
            y - self.horizon, np.float32((1 - self.horizon) / FAR)
        )

    def paint(self, x: Field, y: Field, camera: float) -> tuple[Field, Field]:
        """Return colours [h, w, 3] and depth [h, w]; camera 0 is the left one, 1 the right one."""
        painted = self._sky(x, y)
        depth = np.full(x.shape, FAR, np.float32)
        for near, away in enumerate((32.0, 16.0)):
            seen = x + np.float32(camera * PARALLAX / away)
            ridge = clouds(seen * (2.2 + near), np.full_like(x, 0.5 + near), self.key + 40 * near)
            top = self.horizon - 0.03 - (0.26 - 0.12 * near) * (ridge - 0.25)
            step = float(y[1, 0] - y[0, 0])
            cover = np.clip((y - top) / step + 0.5, 0, 1)
            tint = (
                colour(self.theme.hills[near])
                * (0.86 + 0.28 * clouds(seen * 14, (y - top) * 22, self.key + 7 + near, 3))[
                    ..., None
                ]
            )
            painted = mix(painted, self.haze(tint, away), cover)
            depth[y >= top] = away
        below = y > self.horizon
        painted = np.where(below[..., None], self._ground(x, y, camera), painted)
        return painted, np.where(below, np.minimum(self.ground_depth(y), depth), depth)

    def haze(self, painted: Field, depth: Field | float) -> Field:
        """Fade colours [..., 3] into the distance."""
        share = np.float32(0.75) * (1 - np.exp(-np.asarray(depth, np.float32) / 28))
        return mix(painted, colour(self.theme.haze), np.broadcast_to(share, painted.shape[:-1]))

    def _sky(self, x: Field, y: Field) -> Field:
        low, high = colour(self.theme.sky[1]), colour(self.theme.sky[0])
        painted = mix(low, high, smooth(self.horizon, -0.05, y))
        away = np.hypot(x - self.sun[0], y - self.sun[1])
        glow = np.float32(0.55) * np.exp(-((away / 0.16) ** 2)) + smooth(0.048, 0.040, away)
        painted = mix(painted, colour((1.0, 0.97, 0.86)), np.clip(glow, 0, 1))
        cover = smooth(0.50, 0.74, clouds(x * 2.4, y * 6.5, self.key + 90, 5))
        return mix(painted, colour((1.0, 0.99, 0.97)), cover * np.float32(0.85))

    def _ground(self, x: Field, y: Field, camera: float) -> Field:
        depth = self.ground_depth(y)
        across = (x + np.float32(camera * PARALLAX) / depth - 0.5) * depth
        dark, light = (colour(c) for c in self.theme.ground)
        # Detail finer than a pixel would flicker: it fades with distance instead.
        fine = np.exp(-depth / np.float32(5.0))
        broad = clouds(across * 2, depth * 2, self.key + 3, 3)
        if self.theme.kind == "tiles":
            edge = np.maximum(depth * depth * np.float32(0.012), np.float32(0.01))
            squares = np.clip((checks(across, depth, 0.9, 0.012) - 0.5) * fine * 1.5 + 0.5, 0, 1)
            squares = np.where(edge > 0.45, np.float32(0.5), squares)
            grain = value_noise(across * 60, depth * 60, self.key + 5) * fine
            painted = mix(dark, light, squares) * (0.90 + 0.12 * broad + 0.06 * grain)[..., None]
        elif self.theme.kind == "sand":
            wave = np.sin(depth * 26 + 5 * broad + 2.5 * np.sin(across * 3)) * fine
            painted = mix(dark, light, np.clip(0.45 + 0.5 * (broad - 0.5) + 0.18 * wave, 0, 1))
        else:
            blades = value_noise(across * 90, depth * 30, self.key + 5) - np.float32(0.5)
            strength = 0.9 if self.theme.kind == "grass" else 0.25
            share = 0.25 + 0.7 * (broad - 0.15) + strength * blades * fine
            painted = mix(dark, light, np.clip(share, 0, 1))
        return self.haze(painted.astype(np.float32), depth)
