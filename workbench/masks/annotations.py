"""What annotation programs save: LabelMe's json and CVAT's XML ("for images 1.1"), as pixels."""

import base64
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput, shown
from workbench.masks import outlines

Bools = NDArray[np.bool_]
Draw = Callable[[Bools], int]
PIXEL_LIMIT = 1 << 26
SHAPE_LIMIT = 10_000
DRAWN_LIMIT = 1 << 28  # pixels looked at for one picture
XML_LIMIT = 1 << 26
FLAT = ("line", "linestrip", "point", "points", "polyline", "cuboid", "skeleton", "tag")


@dataclass
class Shape:
    """One annotated thing: its label, and how to set its pixels in a plane."""

    label: str
    draw: Draw


@dataclass
class Annotated:
    """One annotated picture: its file's name, its size and its things."""

    name: str
    height: int
    width: int
    shapes: list[Shape] = field(default_factory=list[Shape])

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1 or self.height * self.width > PIXEL_LIMIT:
            raise BadInput(
                f"its picture {shown(self.name)} is {self.width} x {self.height}, but must have 1 "
                f"to {PIXEL_LIMIT} pixels."
            )

    def plane(self, labels: Sequence[str] = ()) -> Bools:
        """Return the union of all things, or of those with these labels, bool [height, width].

        Raises:
            BadInput: so many large things that drawing them would take minutes.
        """
        plane, drawn = np.zeros((self.height, self.width), bool), 0
        for shape in self.shapes:
            if not labels or shape.label in labels:
                drawn += shape.draw(plane)
            if drawn > DRAWN_LIMIT:
                raise BadInput(
                    f"the things in {shown(self.name)} are too many and large; split it."
                )
        return plane


def planes(pictures: Sequence[Annotated], labels: Sequence[str] = ()) -> Iterator[Bools]:
    """Yield a plane for each picture.

    Raises:
        BadInput: nothing with an area in any of them, or none of a label.
    """
    known = {shape.label for one in pictures for shape in one.shapes}
    missing = [label for label in labels if label not in known]
    if missing or not known:
        wanted = f"nothing labelled {', '.join(missing)}" if missing else "nothing with an area"
        there = ", ".join(sorted(known)[:20]) or "none"
        raise BadInput(f"it holds {wanted}; its labels are: {there}.")
    return (one.plane(labels) for one in pictures)


def is_labelme(record: Any) -> bool:
    """Whether a json record is LabelMe's."""
    return isinstance(record, dict) and "shapes" in record and "imageHeight" in record


def labelme(record: Mapping[str, Any]) -> Annotated:
    """Read LabelMe's polygons, rectangles, circles and masks; lines and points have no area.

    Raises:
        BadInput: sizes, points or masks that are none.
    """
    sides = record["imageHeight"], record["imageWidth"]
    if not all(type(side) is int for side in sides):
        raise BadInput(f"its imageHeight and imageWidth are {shown(sides)}; save it again.")
    found = Annotated(str(record.get("imagePath") or "picture"), *sides)
    shapes = record["shapes"]
    if not isinstance(shapes, list) or len(shapes) > SHAPE_LIMIT:
        raise BadInput(f"its shapes are {shown(shapes)}, but must be a list of at most 10000.")
    for each in shapes:
        draw = _labelme_shape(each)
        if draw is not None:
            found.shapes.append(Shape(str(each.get("label")), draw))
    return found


def _labelme_shape(shape: Mapping[str, Any]) -> Draw | None:
    kind = shape.get("shape_type", "polygon")
    if kind in FLAT:
        return None
    points = outlines.points_of(shape["points"])
    if kind == "mask":
        pixels, (left, top) = _labelme_pixels(shape.get("mask")), np.round(points[0])
        return lambda plane: outlines.paste(plane, pixels, int(left), int(top))
    if kind == "rectangle" and len(points) == 2:
        points = outlines.rectangle(*points[0], *points[1])
    if kind == "circle" and len(points) == 2:
        (x, y), radius = points[0], float(np.hypot(*(points[1] - points[0])))
        return lambda plane: outlines.fill_ellipse(plane, x, y, radius, radius)
    if kind not in ("polygon", "rectangle", "oriented_rectangle") or len(points) < 3:
        raise BadInput(
            f"it holds a {shown(kind)} of {len(points)} points, which is not read; draw polygons, "
            "rectangles, circles or masks."
        )
    return lambda plane: outlines.fill(plane, points)


def _labelme_pixels(text: Any) -> Bools:
    from PIL import Image

    raw = base64.b64decode(str(text), validate=True)
    size = [int.from_bytes(raw[at : at + 4], "big") for at in (16, 20)]
    if raw[:8] != b"\x89PNG\r\n\x1a\n" or not 0 < size[0] * size[1] <= PIXEL_LIMIT:
        raise BadInput(f"its mask is no PNG of at most {PIXEL_LIMIT} pixels; save it again.")
    with Image.open(io.BytesIO(raw), formats=["PNG"]) as picture:
        return np.asarray(picture.convert("L")) > 0


def cvat(content: bytes) -> list[Annotated]:
    """Read the polygons, boxes, ellipses and masks of CVAT's XML for images 1.1.

    A document type, and with it any entity of its own, is refused before it is read.

    Raises:
        BadInput: too big, no such XML, or a shape that cannot be read.
    """
    if len(content) > XML_LIMIT:
        raise BadInput(f"it has {len(content)} bytes, at most {XML_LIMIT} are read; split it.")
    reader = _CvatReader()
    parser = expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.EntityDeclHandler = reader.refuse
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise BadInput(f"it is no whole XML ({error}); export it again.") from None
    if reader.root != "annotations" or not reader.images:
        raise BadInput("it is no CVAT export; take the format CVAT for images 1.1.")
    return reader.images


class _CvatReader:
    """Collects pictures and shapes while the XML goes by; no tree is built."""

    def __init__(self) -> None:
        self.root = ""
        self.images: list[Annotated] = []
        self.shapes = 0

    def refuse(self, *_: Any) -> None:
        raise BadInput("it declares a document type, which no export needs; export it again.")

    def start(self, tag: str, given: dict[str, str]) -> None:
        self.root = self.root or tag
        if tag == "image":
            height, width = int(_number(given, "height")), int(_number(given, "width"))
            self.images.append(Annotated(given.get("name", "picture"), height, width))
        elif self.images and tag in _CVAT_SHAPES:
            self.shapes += 1
            if self.shapes > SHAPE_LIMIT:
                raise BadInput(f"it has more than {SHAPE_LIMIT} shapes; split it.")
            self.images[-1].shapes.append(Shape(given.get("label", ""), _CVAT_SHAPES[tag](given)))


def _number(given: Mapping[str, str], name: str, default: str = "") -> float:
    text = given.get(name, default)
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not abs(value) <= outlines.COORDINATE_LIMIT:
        raise BadInput(f"{name} is {shown(text)}, but must be a number; export it again.")
    return value


def _polygon(given: Mapping[str, str]) -> Draw:
    try:
        pairs = [[float(x) for x in each.split(",")] for each in given["points"].split(";")]
    except (KeyError, ValueError):
        pairs = []
    points = outlines.points_of(pairs)
    return lambda plane: outlines.fill(plane, points)


def _box(given: Mapping[str, str]) -> Draw:
    sides = [_number(given, name) for name in ("xtl", "ytl", "xbr", "ybr")]
    points = outlines.rectangle(*sides, turn=_number(given, "rotation", "0"))
    return lambda plane: outlines.fill(plane, points)


def _ellipse(given: Mapping[str, str]) -> Draw:
    x, y, across, down = (_number(given, name) for name in ("cx", "cy", "rx", "ry"))
    turn = _number(given, "rotation", "0")
    return lambda plane: outlines.fill_ellipse(plane, x, y, across, down, turn)


def _runs(given: Mapping[str, str]) -> Draw:
    left, top, width, height = (
        int(_number(given, name)) for name in ("left", "top", "width", "height")
    )
    try:
        runs = [int(run) for run in given.get("rle", "").split(",")]
    except ValueError:
        runs = []
    cells = height * width
    good = 0 < cells <= PIXEL_LIMIT and min(height, width) > 0
    if not good or sum(runs) != cells or min(runs) < 0:
        raise BadInput(f"the runs of a mask of {width} x {height} do not add up; export it again.")
    pixels = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(height, width)
    return lambda plane: outlines.paste(plane, pixels, left, top)


_CVAT_SHAPES = {"polygon": _polygon, "box": _box, "ellipse": _ellipse, "mask": _runs}
