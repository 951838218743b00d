"""Outlines and patterns of drawn scenes, as functions of coordinates; nothing is stored.

An outline is a signed distance (negative inside) in the object's own units. A pattern is a number
from 0 to 1. Both take arrays of coordinates and follow an object wherever it moves.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.floating[Any]]
TAU = 2 * np.pi


def smooth(low: float, high: float, x: Field) -> Field:
    """Rise from 0 at `low` to 1 at `high` without a kink (falls where high < low)."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def mix(a: Field, b: Field, share: Field) -> Field:
    """Blend colours [..., 3] by `share` [...] of the second."""
    return a + (b - a) * share[..., None]


def ellipse(u: Field, v: Field, a: float, b: float) -> Field:
    """Distance to an ellipse with half axes a and b (exact for a circle, else near the outline)."""
    length = np.hypot(u / a, v / b)
    slope = np.hypot(u / (a * a), v / (b * b))
    return length * (length - 1) / np.maximum(slope, 1e-6)


def box(u: Field, v: Field, a: float, b: float, corner: float = 0.0) -> Field:
    """Distance to a rectangle with half sides a and b and rounded corners."""
    x, y = np.abs(u) - (a - corner), np.abs(v) - (b - corner)
    outside = np.hypot(np.maximum(x, 0), np.maximum(y, 0))
    return outside + np.minimum(np.maximum(x, y), 0) - corner


def triangle(u: Field, v: Field, half: float, height: float) -> Field:
    """Distance to a triangle standing on v = 0 with its tip at (0, height), from inside."""
    slant = np.hypot(half, height)
    return np.maximum((np.abs(u) * height + (v - height) * half) / slant, -v)


def star(u: Field, v: Field, points: int, outer: float, inner: float) -> Field:
    """Distance to a star, exact on its edges."""
    step = np.pi / points
    angle = np.abs((np.arctan2(u, v) + step) % (2 * step) - step)
    radius = np.hypot(u, v)
    x, y = radius * np.cos(angle), radius * np.sin(angle)
    tip = np.array([outer, 0.0])
    edge = inner * np.array([np.cos(step), np.sin(step)]) - tip
    edge /= np.hypot(*edge)
    return (x - tip[0]) * edge[1] - y * edge[0]


def blob(u: Field, v: Field, radius: float, waves: Field) -> Field:
    """Distance (near the outline) to a wavy disc; `waves` are [k, 2] amplitudes and phases."""
    angle = np.arctan2(u, v)
    outline = np.full_like(angle, radius)
    for k, (amplitude, phase) in enumerate(waves, start=2):
        outline += radius * amplitude * np.cos(k * angle + phase)
    return np.hypot(u, v) - outline


def value_noise(u: Field, v: Field, key: int) -> Field:
    """Smooth noise in [0, 1] with one random value at every whole (u, v)."""
    cell_u, cell_v = np.floor(u), np.floor(v)
    s, t = smooth(0, 1, u - cell_u), smooth(0, 1, v - cell_v)
    i, j = cell_u.astype(np.int32), cell_v.astype(np.int32)
    top = _lattice(i, j, key) * (1 - s) + _lattice(i + 1, j, key) * s
    below = _lattice(i, j + 1, key) * (1 - s) + _lattice(i + 1, j + 1, key) * s
    return top * (1 - t) + below * t


def _lattice(i: NDArray[np.int32], j: NDArray[np.int32], key: int) -> Field:
    bits = i.astype(np.uint32) * np.uint32(0x9E3779B1)
    bits ^= j.astype(np.uint32) * np.uint32(0x85EBCA77) + np.uint32(key * 0xC2B2AE3D & 0xFFFFFFFF)
    bits ^= bits >> np.uint32(15)
    bits *= np.uint32(0x7FEB352D)
    bits ^= bits >> np.uint32(13)
    bits *= np.uint32(0x846CA68B)
    return (bits >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)


def clouds(u: Field, v: Field, key: int, octaves: int = 4) -> Field:
    """Fractal noise in [0, 1]: each octave twice as fine and half as strong."""
    total, weight = np.zeros_like(u), 1.0
    for k in range(octaves):
        total += weight * value_noise(u * 2**k + 17 * k, v * 2**k - 31 * k, key + k)
        weight /= 2
    return total / np.float32(2 - 2 * weight)


def stripes(x: Field, period: float, edge: float | Field) -> Field:
    """Return 0 and 1 in turn, half a period each, with an edge of the given width."""
    phase = np.abs((x / period) % 1 - 0.5) * period
    return np.clip((phase - period / 4) / np.maximum(edge, 1e-6) + 0.5, 0, 1)


def checks(u: Field, v: Field, period: float, edge: float | Field) -> Field:
    """A chessboard of 0 and 1 with squares of half a period."""
    a, b = stripes(u, period, edge), stripes(v, period, edge)
    return a + b - 2 * a * b


def dots(u: Field, v: Field, period: float, radius: float, edge: float | Field) -> Field:
    """Return 1 inside dots on a staggered lattice, 0 between them."""
    row = np.floor(v / period)
    shifted = u + (row % 2) * period / 2
    x, y = (shifted / period) % 1 - 0.5, (v / period) % 1 - 0.5
    return np.clip((radius - np.hypot(x, y) * period) / np.maximum(edge, 1e-6) + 0.5, 0, 1)


def bricks(u: Field, v: Field, height: float, edge: float | Field) -> Field:
    """Return 1 on bricks twice as wide as high, 0 in the joints."""
    row = np.floor(v / height)
    x = np.abs(((u + (row % 2) * height) / (2 * height)) % 1 - 0.5) * 2 * height
    y = np.abs((v / height) % 1 - 0.5) * height
    joint = np.minimum(height - x, height / 2 - y)
    return np.clip((joint - height * 0.08) / np.maximum(edge, 1e-6) + 0.5, 0, 1)
