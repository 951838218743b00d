"""The linear probes of all objectives as a picture: before and after, with their intervals."""

from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

LEFT, WIDTH, RIGHT, TOP, LINE, FOOT = 120, 560, 90, 54, 24, 44
INK, FAINT, BEFORE, AFTER = "#1f2933", "#d9dee4", "#8a94a0", "#0f6fc5"


def draw(rows: dict[str, dict[str, Any]], target: Path) -> None:
    """Write an SVG of rows that were probed, the best first; nothing for none."""
    if not rows:
        return
    spans = [row[when]["linear_probe"] for row in rows.values() for when in ("initial", "trained")]
    low = int(10 * min(each["low"] for each in spans)) / 10
    high = int(10 * max(each["high"] for each in spans) + 1) / 10
    height = TOP + LINE * len(rows) + FOOT

    def across(share: float) -> float:
        return LEFT + WIDTH * (share - low) / (high - low)

    parts = [_text(LEFT, 20, "Linear probe on CIFAR-10 after ten minutes of training", 15)]
    parts += [_dot(LEFT + 6, 36, BEFORE), _text(LEFT + 16, 40, "at its first weights", 12)]
    parts += [_dot(LEFT + 156, 36, AFTER), _text(LEFT + 166, 40, "trained; bars: 95%", 12)]
    for tenth in range(round(10 * low), round(10 * high) + 1):
        x = across(tenth / 10)
        parts.append(_line(x, TOP, x, height - FOOT, FAINT, 1))
        parts.append(_text(x, height - FOOT + 18, f"{10 * tenth}%", 12, "middle"))
    for i, (name, row) in enumerate(rows.items()):
        y = TOP + LINE * (i + 0.5)
        parts.append(_text(LEFT - 10, y + 4, name, 13, "end"))
        for when, colour, shift in (("initial", BEFORE, -4), ("trained", AFTER, 4)):
            each = row[when]["linear_probe"]
            parts.append(
                _line(across(each["low"]), y + shift, across(each["high"]), y + shift, colour, 3)
            )
            parts.append(_dot(across(each["accuracy"]), y + shift, colour))
        share = row["trained"]["linear_probe"]["accuracy"]
        parts.append(_text(LEFT + WIDTH + 12, y + 4, f"{100 * share:.1f}%", 12))
    said = f"{len(rows)} objectives, one run each, seed 0"
    parts.append(_text(LEFT, height - 6, said, 11))
    frame = f'<rect width="{LEFT + WIDTH + RIGHT}" height="{height}" fill="white"/>'
    size = f'width="{LEFT + WIDTH + RIGHT}" height="{height}"'
    begin = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif">'
    part = target.with_suffix(".part")
    part.write_text("\n".join([begin, frame, *parts, "</svg>"]) + "\n", encoding="utf-8")
    part.replace(target)


def _text(x: float, y: float, said: str, size: int, anchor: str = "start") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}"'
    return f'<text {place} fill="{INK}">{escape(said)}</text>'


def _line(x: float, y: float, to_x: float, to_y: float, colour: str, width: int) -> str:
    place = f'x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}"'
    return f'<line {place} stroke="{colour}" stroke-width="{width}"/>'


def _dot(x: float, y: float, colour: str) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>'
