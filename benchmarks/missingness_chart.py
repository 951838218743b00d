"""Accuracy and entropy of the classes against the share removed, small multiples with bands."""

from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

WIDE, HIGH, LEFT, TOP, GAP_X, GAP_Y = 210, 150, 64, 92, 44, 66
INK, FAINT = "#1f2933", "#d9dee4"
COLOURS = {
    "grey": "#8a94a0", "black": "#1f2933", "blur": "#b8860b", "neighbour": "#2e8b57",
    "layer_mask": "#0f6fc5", "drop_tokens": "#0f6fc5", "hide_keys": "#c2410c",
}  # fmt: skip
MEASURES = (
    ("accuracy", "share told right", 1.0),
    ("class_entropy", "entropy of classes, bits", 3.4),
)
Rows = list[dict[str, Any]]


def draw(found: dict[str, Rows], titles: dict[str, str], target: Path) -> None:
    """Write an SVG: a row of charts for each network and measure, a column for each order."""
    if not found:
        return
    orders = list(dict.fromkeys(row["order"] for rows in found.values() for row in rows))
    kinds = list(dict.fromkeys(_kind(row) for rows in found.values() for row in rows))
    width = LEFT + len(orders) * (WIDE + GAP_X)
    height = TOP + len(found) * len(MEASURES) * (HIGH + GAP_Y)
    parts = [_text(LEFT, 22, "What is said as parts of CIFAR-10 pictures go missing", 15)]
    for at, kind in enumerate(kinds):
        x = LEFT + at * 96
        parts += [f'<rect x="{x}" y="38" width="14" height="4" fill="{COLOURS[kind]}"/>']
        parts += [_text(x + 19, 44, kind, 11)]
    bands = [(name, each) for name in found for each in MEASURES]
    for down, (name, (measure, said, top)) in enumerate(bands):
        y = TOP + down * (HIGH + GAP_Y)
        parts.append(_text(LEFT, y - 22, f"{titles[name]}: {said}", 12))
        for across, order in enumerate(orders):
            rows = [row for row in found[name] if row["order"] == order]
            x = LEFT + across * (WIDE + GAP_X)
            parts += _chart(rows, measure, top, x, y)
            parts.append(_text(x, y - 6, order.replace("_", " "), 11))
    begin = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
    frame = f'<rect width="{width}" height="{height}" fill="white"/>'
    body = [f'{begin} font-family="sans-serif">', frame, *parts, "</svg>"]
    part = target.with_suffix(".part")
    part.write_text("\n".join(body) + "\n", encoding="utf-8")
    part.replace(target)


def _chart(rows: Rows, measure: str, top: float, x: float, y: float) -> list[str]:
    def place(share: float, value: float) -> str:
        return f"{x + WIDE * share:.1f},{y + HIGH * (1 - min(max(value, 0), top) / top):.1f}"

    parts: list[str] = []
    for tick in (0, 0.5, 1):
        at = y + HIGH * (1 - tick)
        parts.append(f'<path d="M{x} {at}h{WIDE}" stroke="{FAINT}"/>')
        parts.append(_text(x - 6, at + 4, f"{tick * top:.2g}", 10, "end"))
        parts.append(_text(x + WIDE * tick, y + HIGH + 15, f"{tick:.0%}", 10, "middle"))
    for kind in dict.fromkeys(_kind(row) for row in rows):
        line = [row for row in rows if _kind(row) == kind]
        low = [place(row["share"], row[f"{measure}_low"]) for row in line]
        high = [place(row["share"], row[f"{measure}_high"]) for row in line]
        middle = [place(row["share"], row[measure]) for row in line]
        band = " ".join([*low, *reversed(high)])
        parts.append(f'<polygon points="{band}" fill="{COLOURS[kind]}" opacity="0.18"/>')
        dash = ' stroke-dasharray="4 3"' if kind == "hide_keys" else ""
        parts.append(
            f'<polyline points="{" ".join(middle)}" fill="none" stroke="{COLOURS[kind]}" '
            f'stroke-width="1.8"{dash}/>'
        )
    return parts


def _kind(row: dict[str, Any]) -> str:
    return str(row["operator"]).partition("(")[0]


def _text(x: float, y: float, said: str, size: int, anchor: str = "start") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}"'
    return f'<text {place} fill="{INK}">{escape(said)}</text>'
