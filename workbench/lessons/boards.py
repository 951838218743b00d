"""What a lesson shows: boards of pictures, small tables and charts, each with a picture or text."""

import html
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from workbench.errors import BadInput
from workbench.notebook import TILE_LIMIT, Pictures, Pixels
from workbench.plots.lines import Line, line_chart

ACROSS = 6


@dataclass(frozen=True)
class Board:
    """Strips of captioned pictures below each other."""

    rows: tuple[Pictures, ...]

    def image(self) -> Image.Image:
        """All strips as one picture."""
        strips = [row.image() for row in self.rows]
        size = max(strip.width for strip in strips), sum(strip.height for strip in strips)
        board, top = Image.new("RGB", size, "white"), 0
        for strip in strips:
            board.paste(strip, (0, top))
            top += strip.height
        return board

    def _repr_png_(self) -> bytes:
        """What a notebook shows."""
        return flat_png(self.image())

    def __repr__(self) -> str:
        """The captions, for readers without pictures."""
        return "\n".join(map(repr, self.rows))


@dataclass(frozen=True)
class Strips:
    """Wide pictures below each other, each with a word on its left, all scaled to one width."""

    rows: tuple[tuple[str, Pixels], ...]
    width: int = 560

    def image(self) -> Image.Image:
        """All strips as one picture."""
        font = ImageFont.load_default(13)
        left = max(round(font.getlength(word)) for word, _ in self.rows) + 12
        drawn = list[Image.Image]()
        for _, pixels in self.rows:
            size = self.width, round(pixels.shape[0] * self.width / pixels.shape[1])
            drawn.append(Image.fromarray(pixels).resize(size, Image.Resampling.BOX))
        height = sum(each.height + 4 for each in drawn)
        whole, top = Image.new("RGB", (left + self.width, height), "white"), 0
        pen = ImageDraw.Draw(whole)
        for (word, _), each in zip(self.rows, drawn, strict=True):
            pen.text((0, top + each.height // 2), word, "#1b1e24", font, anchor="lm")
            whole.paste(each, (left, top))
            top += each.height + 4
        return whole

    def _repr_png_(self) -> bytes:
        """What a notebook shows."""
        return flat_png(self.image())

    def __repr__(self) -> str:
        """The words, for readers without pictures."""
        return " | ".join(word for word, _ in self.rows)


@dataclass(frozen=True)
class Sheet:
    """One drawn picture and what it says in words."""

    picture: Image.Image
    words: str

    def _repr_png_(self) -> bytes:
        """What a notebook shows."""
        return flat_png(self.picture)

    def __repr__(self) -> str:
        """The words, for readers without pictures."""
        return self.words


@dataclass(frozen=True)
class Listing:
    """A small table; the first column names the rows."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __repr__(self) -> str:
        """The table in columns, for a plain terminal."""
        lines = [self.heads, *self.rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        pairs = [zip(line, widths, strict=True) for line in lines]
        return "\n".join("  ".join(text.rjust(wide) for text, wide in pair) for pair in pairs)

    def _repr_html_(self) -> str:
        """The table for a notebook; every text is escaped."""
        head = "".join(f"<th>{html.escape(text)}</th>" for text in self.heads)
        lines = ["".join(f"<td>{html.escape(text)}</td>" for text in row) for row in self.rows]
        body = "".join(f"<tr>{line}</tr>" for line in lines)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def board(
    tiles: Sequence[tuple[str, Pixels]],
    footer: str = "",
    across: int = ACROSS,
    limit: int = TILE_LIMIT,
) -> Board:
    """Lay captioned pictures out in rows; the last row is filled up, so that all are of one size.

    Args:
        tiles: (caption, uint8 [h, w, 3]).
        footer: said below them.
        across: pictures in a row.
        limit: pixels of the longer side of a picture at most.

    Raises:
        BadInput: no picture.
    """
    if not tiles:
        raise BadInput("there is no picture to show; give some.")
    blank = np.full_like(tiles[0][1], 255)
    short = -len(tiles) % across if len(tiles) > across else 0
    full = [*tiles, *[("", blank)] * short]
    cut = [tuple(full[at : at + across]) for at in range(0, len(full), across)]
    return Board(tuple(Pictures(row, footer if row is cut[-1] else "", limit) for row in cut))


@dataclass(frozen=True)
class Chart:
    """Lines by name over two labelled axes, with upright marks; a picture in a notebook."""

    lines: Mapping[str, Line]
    x_label: str
    y_label: str
    marks: Mapping[str, float] | None = None

    def _repr_png_(self) -> bytes:
        """What a notebook shows."""
        drawn = line_chart(self.lines, self.x_label, self.y_label, self.marks)
        return flat_png(Image.fromarray(drawn))

    def __repr__(self) -> str:
        """First and last point of each line, for readers without pictures."""
        parts = [
            f"{name}: {y[0]:.4g} at {x[0]:.4g} to {y[-1]:.4g} at {x[-1]:.4g}"
            for name, (x, y) in self.lines.items()
        ]
        return f"{self.y_label} over {self.x_label}: " + "; ".join(parts)


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> Listing:
    """A table of texts and numbers; numbers get four significant digits."""
    texts = [
        tuple(each if isinstance(each, str) else f"{each:.4g}" for each in row) for row in rows
    ]
    return Listing(tuple(heads), tuple(texts))


def flat_png(picture: Image.Image) -> bytes:
    """A PNG of at most 128 colours without dithering, which flat areas would pay for in bytes."""
    buffer = io.BytesIO()
    few = picture.convert("RGB").quantize(128, dither=Image.Dither.NONE)
    few.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def number(value: float | None, digits: int) -> str:
    """A number with its digits, or a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"
