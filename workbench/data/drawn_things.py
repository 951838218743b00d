"""The things that stand, roll and fly in drawn scenes: an outline and a paint each.

A thing's own coordinates have their origin at its foot (or at its middle if it flies), u to the
right and v upwards; its height is about 1. `edge` is the width of a pixel in these units.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from workbench.data.drawn_land import Colour, colour
from workbench.data.drawn_patterns import (
    TAU,
    Field,
    blob,
    box,
    bricks,
    checks,
    clouds,
    dots,
    ellipse,
    mix,
    smooth,
    star,
    stripes,
    triangle,
)

Kind = Literal["ball", "balloon", "crate", "house", "mushroom", "pine", "rock", "kite", "tree"]
KINDS: tuple[Kind, ...] = get_args(Kind)
FLYING = frozenset({"balloon", "kite"})
HEIGHTS: dict[Kind, float] = {
    "ball": 0.20, "balloon": 0.62, "crate": 0.26, "house": 0.72, "mushroom": 0.26,
    "pine": 0.72, "rock": 0.20, "kite": 0.34, "tree": 0.66,
}  # fmt: skip
# No outline reaches further from its origin than this, in the thing's own units.
ABOVE, BELOW, BESIDE = 1.2, 0.6, 0.8
PAINTS: tuple[tuple[Colour, Colour], ...] = (
    ((0.86, 0.22, 0.20), (0.98, 0.93, 0.84)), ((0.13, 0.42, 0.70), (0.96, 0.80, 0.26)),
    ((0.92, 0.50, 0.14), (0.99, 0.94, 0.78)), ((0.20, 0.55, 0.48), (0.95, 0.89, 0.70)),
    ((0.52, 0.26, 0.56), (0.98, 0.76, 0.60)), ((0.90, 0.36, 0.50), (0.35, 0.22, 0.42)),
)  # fmt: skip


@dataclass(frozen=True)
class Thing:
    """One object: what it is, where it stands at the start, how it is painted and how it moves.

    `x` in picture heights, `lift` the height of its origin above the ground in picture heights at
    depth 1, `size` its height there; `speed` in picture heights a frame at depth 1.
    """

    kind: Kind
    x: float
    depth: float
    lift: float
    size: float
    paint: int
    key: int
    phase: float
    speed: float = 0.0
    bounce: float = 0.0


def outline(thing: Thing, u: Field, v: Field) -> Field:
    """Signed distance to the thing's outline, negative inside."""
    match thing.kind:
        case "ball":
            return ellipse(u, v - 0.5, 0.5, 0.5)
        case "balloon":
            basket = box(u, v + 0.43, 0.09, 0.07, 0.02)
            ropes = box(np.abs(u) - 0.085 - 0.1 * (v + 0.33), v + 0.30, 0.012, 0.10)
            return np.minimum(np.minimum(_envelope(u, v), basket), ropes)
        case "crate":
            return box(u, v - 0.5, 0.5, 0.5, 0.03)
        case "house":
            wall = box(u, v - 0.29, 0.40, 0.29)
            chimney = box(u - 0.22, v - 0.80, 0.055, 0.14)
            return np.minimum(np.minimum(wall, triangle(u, v - 0.56, 0.52, 0.42)), chimney)
        case "mushroom":
            return np.minimum(_cap(u, v), box(u, v - 0.27, 0.13, 0.28, 0.10))
        case "pine":
            tiers = [triangle(u, v - 0.14 - 0.23 * k, 0.34 - 0.07 * k, 0.44) for k in range(3)]
            return np.minimum.reduce([box(u, v - 0.08, 0.05, 0.09), *tiers])
        case "rock":
            return np.maximum(blob(u, v - 0.42, 0.55, _waves(thing, 4, 0.06)), -v)
        case "kite":
            return star(u, v, 5, 0.5, 0.24)
        case "tree":
            crown = blob(u, v - 0.66, 0.32, _waves(thing, 7, 0.05))
            return np.minimum(crown, box(u, v - 0.2, 0.055, 0.21))


def paint(thing: Thing, u: Field, v: Field, edge: float) -> Field:
    """Colours [..., 3] of the thing before haze; only meant inside the outline."""
    first, second = (colour(c) for c in PAINTS[thing.paint % len(PAINTS)])
    painter = {
        "ball": _ball, "balloon": _balloon, "crate": _crate, "house": _house, "kite": _kite,
        "mushroom": _mushroom, "pine": _pine, "rock": _rock, "tree": _tree,
    }[thing.kind]  # fmt: skip
    return painter(thing, u, v, edge, first, second).astype(np.float32)


def turned(u: Field, v: Field, angle: float) -> tuple[Field, Field]:
    """Coordinates in a frame that is turned by `angle`."""
    s, c = np.float32(np.sin(angle)), np.float32(np.cos(angle))
    return u * c - v * s, u * s + v * c


def _waves(thing: Thing, count: int, strength: float) -> Field:
    step = np.arange(1, count + 1)
    turn = (thing.key * 0.6180339887 * step) % 1
    size = strength * (0.5 + (thing.key * 0.7548776662 * step) % 1)
    return np.stack([size, TAU * turn], axis=1)


def _round(u: Field, v: Field, a: float, b: float) -> Field:
    """Light on a ball of half axes a and b: lit from the upper left, [...] about 0.4 to 1.3."""
    x, y = u / a, v / b
    z = np.sqrt(np.clip(1 - x * x - y * y, 0, 1))
    lit = np.clip(-0.46 * x + 0.62 * y + 0.64 * z, 0, 1)
    return 0.46 + 0.66 * lit + 0.55 * smooth(0.93, 1.0, lit)


def _flat(v: Field) -> Field:
    return 0.84 + 0.24 * v


def _ball(thing: Thing, u: Field, v: Field, edge: float, first: Field, second: Field) -> Field:
    v = v - 0.5
    x, y = turned(u, v, thing.phase)
    if thing.key % 2:
        pattern = stripes(np.arctan2(x, y), TAU / 3, edge / np.maximum(np.hypot(x, y), 0.05))
        pattern = np.maximum(pattern, smooth(0.09 + edge, 0.09 - edge, np.hypot(x, y)))
    else:
        pattern = smooth(0.13 + edge, 0.13 - edge, np.abs(np.abs(x) - 0.2))
    return mix(first, second, pattern) * _round(u, v, 0.5, 0.5)[..., None]


def _envelope(u: Field, v: Field) -> Field:
    """A drop: a disc above, drawn in towards the basket below."""
    narrow = 1 - 0.42 * smooth(0.10, -0.30, v)
    return ellipse(u / narrow, v - 0.12, 0.38, 0.42) * np.float32(0.8)


def _balloon(thing: Thing, u: Field, v: Field, edge: float, first: Field, second: Field) -> Field:
    round_ = np.sqrt(np.clip(1 - ((v - 0.12) / 0.42) ** 2, 0.02, 1))
    around = np.arcsin(np.clip(u / (0.38 * round_), -1, 1))
    gores = stripes(around + 0.2, TAU / 7, edge * 3)
    belt = smooth(0.06 + edge, 0.06 - edge, np.abs(v - 0.14))
    cloth = mix(first, second, np.abs(gores - belt))
    cloth = cloth * _round(u, v - 0.12, 0.42, 0.46)[..., None]
    wicker = colour((0.48, 0.31, 0.17)) * (0.8 + 0.3 * checks(u, v, 0.05, edge))[..., None]
    return mix(cloth, wicker, smooth(-0.29 + edge, -0.29 - edge, v))


def _crate(thing: Thing, u: Field, v: Field, edge: float, first: Field, second: Field) -> Field:
    v = v - 0.5
    wood = mix(colour((0.55, 0.36, 0.19)), colour((0.80, 0.60, 0.36)),
               clouds(u * 3, v * 26, thing.key, 3))  # fmt: skip
    plank = smooth(0.012 + edge, 0.012, np.abs((v * 5 + 0.5) % 1 - 0.5) / 5)
    wood = wood * (1 - 0.55 * plank)[..., None]
    frame = np.maximum(np.abs(u), np.abs(v)) - 0.39
    brace = np.maximum(np.abs(turned(u, v, np.pi / 4)[1]) - 0.055, frame)
    beam = clouds(v * 3, u * 26, thing.key + 9, 3)
    timber = mix(colour((0.62, 0.42, 0.23)), colour((0.86, 0.67, 0.43)), beam)
    wood = mix(wood, wood * 0.6, smooth(0.05, -0.01, np.minimum(-frame, brace)))
    wood = mix(wood, timber, smooth(edge, -edge, np.minimum(-frame, brace)))
    return wood * _flat(v + 0.3)[..., None]


def _house(thing: Thing, u: Field, v: Field, edge: float, first: Field, second: Field) -> Field:
    brick = bricks(u, v, 0.07, edge)
    rough = 0.85 + 0.3 * clouds(u * 16, v * 16, thing.key, 2)
    wall = mix(second, mix(first, second, np.full_like(u, 0.45)) * rough[..., None], brick)
    row = np.floor(v / 0.06)
    tile = smooth(0.4, 1.0, (v / 0.06) % 1) * 0.35 + 0.12 * stripes(u + row * 0.03, 0.06, edge)
    roof = first * (0.62 * (1 - tile) + 0.2 * rough)[..., None]
    done = mix(wall, roof, smooth(0.56 - edge, 0.56 + edge, v))
    done = done * (1 - 0.35 * smooth(0.10, 0.0, 0.56 - v) * (v < 0.56))[..., None]
    frame, glass = colour((0.97, 0.96, 0.92)), colour((0.30, 0.42, 0.52))
    for middle in (-0.24, 0.24):
        pane = box(u - middle, v - 0.36, 0.085, 0.10)
        bars = np.minimum(np.abs(u - middle), np.abs(v - 0.36)) - 0.008
        shine = glass * (0.8 + 1.2 * smooth(0.0, 0.16, u - middle + v - 0.36))[..., None]
        done = mix(done, frame, smooth(edge, -edge, pane - 0.02))
        done = mix(done, mix(shine, frame, smooth(edge, -edge, bars)), smooth(edge, -edge, pane))
    door = box(u, v - 0.17, 0.085, 0.17, 0.01)
    done = mix(done, first * 0.55, smooth(edge, -edge, door))
    knob = ellipse(u - 0.05, v - 0.18, 0.014, 0.014)
    return mix(done, colour((0.95, 0.80, 0.35)), smooth(edge, -edge, knob))


def _cap(u: Field, v: Field) -> Field:
    return np.maximum(ellipse(u, v - 0.44, 0.52, 0.54), 0.44 - v)


def _mushroom(thing: Thing, u: Field, v: Field, edge: float, first: Field, second: Field) -> Field:
    stem = colour((0.95, 0.91, 0.82)) * (0.72 + 0.32 * smooth(0.16, -0.12, u))[..., None]
    stem = stem * (1 - 0.45 * smooth(0.30, 0.44, v))[..., None]
    spots = dots(u + 0.05, v, 0.26, 0.075, edge)
    cap = mix(first, colour((0.99, 0.96, 0.90)), spots)
    cap = cap * _round(u, v - 0.44, 0.56, 0.58)[..., None]
    return mix(stem, cap, smooth(edge, -edge, _cap(u, v)))


def _pine(thing: Thing, u: Field, v: Field, edge: float, first: Field, second: Field) -> Field:
    needles = clouds(u * 22, v * 14, thing.key, 3)
    green = mix(colour((0.07, 0.25, 0.17)), colour((0.30, 0.56, 0.30)), needles)
    green = green * (0.78 + 0.5 * smooth(0.25, -0.25, u))[..., None]
    for k in range(2):
        rim = v - 0.37 - 0.23 * k
        green = green * (1 - 0.5 * smooth(-0.12, 0.0, rim) * (rim < 0))[..., None]
    bark = colour((0.36, 0.24, 0.15)) * (0.7 + 0.5 * clouds(u * 40, v * 8, 3, 2))[..., None]
    return mix(bark, green, smooth(0.14 - edge, 0.14 + edge, v))


def _rock(thing: Thing, u: Field, v: Field, edge: float, first: Field, second: Field) -> Field:
    grain = clouds(u * 7, v * 7, thing.key, 5)
    stone = mix(colour((0.40, 0.40, 0.43)), colour((0.74, 0.72, 0.68)), grain)
    moss = smooth(0.52, 0.66, clouds(u * 4, v * 4, thing.key + 5, 3)) * smooth(0.3, 0.8, v)
    stone = mix(stone, colour((0.36, 0.47, 0.22)), moss * np.float32(0.8))
    return stone * _round(u, v - 0.35, 0.75, 0.75)[..., None]


def _kite(thing: Thing, u: Field, v: Field, edge: float, first: Field, second: Field) -> Field:
    fold = stripes(np.arctan2(u, v) + np.pi / 10, TAU / 5, edge * 4)
    rings = stripes(np.hypot(u, v) + 0.03, 0.22, edge)
    return mix(first, second, rings) * (0.86 + 0.26 * fold)[..., None]


def _tree(thing: Thing, u: Field, v: Field, edge: float, first: Field, second: Field) -> Field:
    bark = colour((0.42, 0.29, 0.19)) * (0.7 + 0.5 * clouds(u * 40, v * 6, 3, 2))[..., None]
    leaves = clouds(u * 13, v * 13, thing.key, 4)
    autumn = thing.key % 3 == 0
    dark, light = ((0.66, 0.26, 0.10), (0.97, 0.68, 0.24)) if autumn else (
        (0.14, 0.36, 0.14), (0.56, 0.75, 0.30))  # fmt: skip
    crown = mix(colour(dark), colour(light), smooth(0.28, 0.72, leaves))
    crown = crown * _round(u, v - 0.64, 0.42, 0.42)[..., None]
    inside = blob(u, v - 0.66, 0.32, _waves(thing, 7, 0.05))
    return mix(bark, crown, smooth(edge, -edge, inside))
