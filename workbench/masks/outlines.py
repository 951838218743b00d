"""Outlines of annotated things as filled pixels: a pixel counts when its centre lies inside."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput, shown

Bools = NDArray[np.bool_]
Points = NDArray[np.float64]
CROSSING_LIMIT = 1 << 26
COORDINATE_LIMIT = 1e7


def points_of(values: object) -> Points:
    """Return float64 [n, 2], (x, y) in pixels, of nested lists of numbers.

    Raises:
        BadInput: no pairs of finite numbers of a picture's size.
    """
    try:
        points: NDArray[Any] = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        points = np.zeros((0, 2))
    good = points.ndim == 2 and points.shape[-1] == 2 and len(points) > 0
    if not good or not (np.abs(points) <= COORDINATE_LIMIT).all():
        raise BadInput(f"its points {shown(values)} are no (x, y) pairs in pixels; save it again.")
    return points


def fill(plane: Bools, points: Points) -> int:
    """Set what lies inside a closed polygon by the even-odd rule, in place, bool [height, width].

    Returns:
        How many pixels were looked at, here and below.

    Raises:
        BadInput: an outline with so many corners that it would take minutes.
    """
    height, width = plane.shape
    start, end = points, np.roll(points, -1, axis=0)
    top, bottom = np.minimum(start[:, 1], end[:, 1]), np.maximum(start[:, 1], end[:, 1])
    first = np.clip(np.ceil(top - 0.5), 0, height).astype(np.int64)  # lines whose centre it crosses
    spans = np.clip(np.ceil(bottom - 0.5), 0, height).astype(np.int64) - first
    if int(spans.sum()) > CROSSING_LIMIT:
        raise BadInput(f"its outline of {len(points)} points is too long; simplify it.")
    edge = np.repeat(np.arange(len(points)), spans)
    if not len(edge):
        return 0
    line = np.arange(len(edge)) - np.repeat(np.cumsum(spans) - spans, spans) + first[edge]
    part = (line + 0.5 - start[edge, 1]) / (end[edge, 1] - start[edge, 1])
    cross = start[edge, 0] + part * (end[edge, 0] - start[edge, 0])
    column = np.clip(np.ceil(cross - 0.5), 0, width).astype(np.int64)
    low, left, high, right = line.min(), column.min(), line.max() + 1, column.max()
    turns = np.zeros((high - low, right - left + 1), np.uint8)
    np.add.at(turns, (line - low, column - left), 1)
    inside = np.cumsum(turns, axis=1, dtype=np.uint8)[:, : right - left] & 1
    plane[low:high, left:right] |= inside.view(np.bool_)
    return inside.size


def rectangle(left: float, top: float, right: float, bottom: float, turn: float = 0.0) -> Points:
    """Return the corners of a rectangle, turned by degrees clockwise about its centre."""
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float64)
    middle = corners.mean(axis=0)
    angle = math.radians(turn)
    spin = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    return (corners - middle) @ spin + middle if turn else corners


def fill_ellipse(
    plane: Bools, x: float, y: float, across: float, down: float, turn: float = 0.0
) -> int:
    """Set what lies inside an ellipse of these radii, turned by degrees clockwise, in place."""
    reach = max(across, down, 0.0)
    low, high = (int(np.clip(y + side * reach, 0, plane.shape[0])) for side in (-1, 1))
    left, right = (int(np.clip(x + side * reach, 0, plane.shape[1])) for side in (-1, 1))
    rows, cols = np.ogrid[low : high + 1, left : right + 1]
    angle = math.radians(turn)
    dx, dy = cols + 0.5 - x, rows + 0.5 - y
    along = (dx * math.cos(angle) + dy * math.sin(angle)) / max(across, 1e-9)
    aside = (dy * math.cos(angle) - dx * math.sin(angle)) / max(down, 1e-9)
    part = plane[low : high + 1, left : right + 1]
    part |= (along**2 + aside**2 <= 1)[: part.shape[0], : part.shape[1]]
    return part.size


def paste(plane: Bools, pixels: Bools, left: int, top: int) -> int:
    """Set the pixels of a small mask at its place, cut at the border, in place."""
    rows = slice(max(0, top), max(0, min(plane.shape[0], top + pixels.shape[0])))
    cols = slice(max(0, left), max(0, min(plane.shape[1], left + pixels.shape[1])))
    part = plane[rows, cols]
    if part.size:
        part |= pixels[rows.start - top :, cols.start - left :][: part.shape[0], : part.shape[1]]
    return part.size
