"""Lines over two axes as a picture, for pages that can run nothing."""

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

# Dark enough on white, apart without colour too: every line has a dash of its own.
INKS = ("#0f6f68", "#b4531a", "#5b3fa8", "#1f5fa8", "#a61e5b", "#5c6157")
DASHES = ((), (14, 6), (4, 5), (16, 5, 4, 5), (26, 6), (8, 10))
GREY, INK, SHARP = "#d9dcda", "#1b1e24", 2

Line = tuple[Sequence[float], Sequence[float]]


def line_chart(
    lines: Mapping[str, Line],
    x_label: str,
    y_label: str,
    marks: Mapping[str, float] | None = None,
    size: tuple[int, int] = (760, 320),
) -> NDArray[np.uint8]:
    """Draw lines with labels at their ends and upright marks.

    Args:
        lines: (x, y) by name, at most six; nan and infinite points are left out.
        x_label: what x is, with its unit.
        y_label: the same of y; the axis begins at 0 where no value is below.
        marks: names of values of x.
        size: width and height in pixels.

    Returns:
        uint8 [height, width, 3].
    """
    paths = {name: _finite(*line) for name, line in lines.items()}
    points = np.concatenate([*paths.values(), np.zeros((0, 2))])
    if not len(points):
        points = np.array([[0.0, 0.0], [1.0, 1.0]])
    places = [*points[:, 0].tolist(), *(marks or {}).values()]
    x_ticks = ticks(min(places), max(places))
    y_ticks = ticks(min(0.0, float(points[:, 1].min())), float(points[:, 1].max()))
    chart = _Chart(size, x_ticks, y_ticks, max((len(name) for name in lines), default=0))
    chart.axes(x_label, y_label)
    for name, place in (marks or {}).items():
        chart.mark(name, place)
    for number, (name, path) in enumerate(paths.items()):
        chart.line(name, path, number)
    return np.asarray(chart.picture.resize(size, Image.Resampling.LANCZOS))


def ticks(low: float, high: float) -> list[float]:
    """Round numbers, four to eight, that cover low to high."""
    span = high - low or abs(high) or 1.0
    rough = span / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * times for times in (1, 2, 2.5, 5, 10) if power * times >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(step * at, 12) for at in range(first, max(last, first + 1) + 1)]


def _finite(x: Sequence[float], y: Sequence[float]) -> NDArray[np.float64]:
    points = np.column_stack([np.asarray(x, np.float64), np.asarray(y, np.float64)])
    return points[np.isfinite(points).all(axis=1)]


class _Chart:
    """The canvas, drawn larger than shown so that lines are smooth."""

    def __init__(self, size: tuple[int, int], x: list[float], y: list[float], longest: int) -> None:
        self.picture = Image.new("RGB", (size[0] * SHARP, size[1] * SHARP), "white")
        self.pen = ImageDraw.Draw(self.picture)
        self.font = ImageFont.load_default(12 * SHARP)
        self.x, self.y = x, y
        right = size[0] * SHARP - min(26 + 7 * longest, 220) * SHARP
        self.box = (58 * SHARP, 26 * SHARP, right, (size[1] - 44) * SHARP)
        self.taken: list[float] = []

    def place(self, x: float, y: float) -> tuple[float, float]:
        left, top, right, bottom = self.box
        across = (x - self.x[0]) / (self.x[-1] - self.x[0])
        up = (y - self.y[0]) / (self.y[-1] - self.y[0])
        return left + across * (right - left), bottom - up * (bottom - top)

    def axes(self, x_label: str, y_label: str) -> None:
        left, top, right, bottom = self.box
        for value in self.y:
            height = self.place(self.x[0], value)[1]
            self.pen.line((left, height, right, height), GREY, SHARP)
            self.pen.text((left - 8 * SHARP, height), f"{value:g}", INK, self.font, anchor="rm")
        for value in self.x:
            across = self.place(value, self.y[0])[0]
            self.pen.line((across, bottom, across, bottom + 4 * SHARP), INK, SHARP)
            self.pen.text((across, bottom + 7 * SHARP), f"{value:g}", INK, self.font, anchor="ma")
        self.pen.line((left, bottom, right, bottom), INK, SHARP)
        self.pen.text(
            ((left + right) / 2, bottom + 40 * SHARP), x_label, INK, self.font, anchor="mb"
        )
        self.pen.text((4 * SHARP, top - 10 * SHARP), y_label, INK, self.font, anchor="lb")

    def mark(self, name: str, at: float) -> None:
        across, top = self.place(at, self.y[-1])
        self.pen.line((across, top, across, self.box[3]), "#8a8f8c", SHARP)
        self.pen.text((across + 4 * SHARP, top), name, "#5c6157", self.font, anchor="la")

    def line(self, name: str, path: NDArray[np.float64], number: int) -> None:
        if not len(path):
            return
        ink, dash = INKS[number % len(INKS)], DASHES[number % len(DASHES)]
        places = [self.place(x, y) for x, y in path.tolist()]
        for piece in _dashed(places, [length * SHARP for length in dash]):
            self.pen.line(piece, ink, round(2.4 * SHARP), joint="curve")
        x, y = places[-1]
        while any(abs(y - other) < 14 * SHARP for other in self.taken):
            y -= 3 * SHARP
        self.taken.append(y)
        self.pen.text((x + 7 * SHARP, y), name, ink, self.font, anchor="lm")


def _dashed(
    places: list[tuple[float, float]], pattern: list[int]
) -> list[list[tuple[float, float]]]:
    """Cut a path into the pieces that a dash pattern shows; no pattern, one piece."""
    if not pattern or len(places) < 2:
        return [places]
    pieces, piece, left, at = list[list[tuple[float, float]]](), [places[0]], float(pattern[0]), 0
    for here, there in itertools.pairwise(places):
        length, done = math.dist(here, there), 0.0
        while length - done > left:
            done += left
            share = done / length
            point = (here[0] + share * (there[0] - here[0]), here[1] + share * (there[1] - here[1]))
            if at % 2 == 0:
                pieces.append([*piece, point])
            piece, at = [point], at + 1
            left = float(pattern[at % len(pattern)])
        left -= length - done
        piece.append(there)
    return [*pieces, piece] if at % 2 == 0 else pieces
