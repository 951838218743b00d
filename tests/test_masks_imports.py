"""Masks of LabelMe and CVAT: areas by arithmetic, labels, pictures, and files that mean harm."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from workbench.data.images import fit
from workbench.errors import BadInput
from workbench.masks import Grid, Mask, annotations
from workbench.masks.imports import read
from workbench.masks.outlines import fill, rectangle

GRID = Grid(4, 4, patch=10)


def labelme(tmp_path: Path, *shapes: dict[str, Any], height: int = 40, width: int = 40) -> Path:
    record = {
        "version": "5.4.1", "flags": {}, "shapes": list(shapes), "imagePath": "cat.jpg",
        "imageData": None, "imageHeight": height, "imageWidth": width,
    }  # fmt: skip
    path = tmp_path / "cat.json"
    path.write_text(json.dumps(record))
    return path


def shape(kind: str, *points: tuple[float, float], label: str = "cat", **more: Any) -> dict:
    return {"label": label, "shape_type": kind, "points": points, "group_id": None, **more}


def cvat(tmp_path: Path, body: str, head: str = "") -> Path:
    path = tmp_path / "annotations.xml"
    path.write_text(
        f'<?xml version="1.0" encoding="utf-8"?>\n{head}<annotations><version>1.1</version>{body}'
        "</annotations>"
    )
    return path


def image(body: str, name: str = "cat.jpg", width: int = 40, height: int = 40) -> str:
    return f'<image id="0" name="{name}" width="{width}" height="{height}">{body}</image>'


@given(
    st.lists(st.tuples(st.integers(-5, 35), st.integers(-5, 35)), min_size=3, max_size=8),
    st.integers(0, 7),
)
def test_a_polygon_fills_the_pixels_whose_centres_it_surrounds(
    corners: list[tuple[int, int]], shift: int
) -> None:
    points = np.array(corners, float) + shift / 8 + 1 / 16  # no centre lies on an edge's end
    plane = np.zeros((30, 30), bool)
    fill(plane, points)
    for row, col in [(0, 0), (4, 17), (15, 15), (22, 3), (29, 29), (11, 8)]:
        x, y, inside = col + 0.5, row + 0.5, False
        for (x0, y0), (x1, y1) in zip(points, np.roll(points, -1, axis=0), strict=True):
            if (y0 > y) != (y1 > y) and x < x0 + (y - y0) / (y1 - y0) * (x1 - x0):
                inside = not inside  # the ray to the right crosses this edge
        assert plane[row, col] == inside


def test_areas_are_those_of_geometry() -> None:
    for points, area in (
        (rectangle(10, 20, 60, 50), 1500),
        (rectangle(10, 20, 60, 50, turn=30), 1500),
        (np.array([[5.0, 5], [95, 5], [50, 95]]), 4050),
        (np.array([[10.0, 10], [90, 90], [90, 10], [10, 90]]), 3200),  # a bow, even-odd
    ):
        plane = np.zeros((100, 100), bool)
        fill(plane, points)
        assert plane.sum() == pytest.approx(area, rel=0.02)


def test_labelme_shapes_lie_where_they_were_drawn(tmp_path: Path) -> None:
    mask = np.zeros((9, 10), np.uint8)
    mask[:, 2:] = 1
    buffer = io.BytesIO()
    Image.fromarray(mask).save(buffer, "PNG")
    pixels = base64.b64encode(buffer.getvalue()).decode()
    shapes = [
        shape("rectangle", (0, 0), (10, 10)),
        shape("polygon", (20, 0), (30, 0), (30, 5.5), (20, 5.5), label="dog"),
        shape("circle", (15, 35), (15, 29), label="dog"),
        shape("mask", (30, 20), (39, 28), label="cat", mask=pixels),
        shape("line", (0, 0), (40, 40)),
        shape("point", (20, 20)),
    ]
    path = labelme(tmp_path, *shapes)
    rows = ["1010", "0000", "0001", "0100"]
    assert read(path, GRID).to_bits() == Mask.load(path, GRID).to_bits() == "".join(rows)
    assert read(path, GRID, labels=["cat"]).hidden_indices().tolist() == [[0, 11]]
    assert read(path, GRID, threshold=0.56).hidden_indices().tolist() == [[0, 11, 13]]
    with pytest.raises(BadInput, match="holds nothing labelled cow; its labels are: cat, dog"):
        read(path, GRID, labels=["cow", "dog"])
    with pytest.raises(BadInput, match="does not name its grid"):
        Mask.load(path)


def test_cvat_shapes_lie_where_they_were_drawn(tmp_path: Path) -> None:
    body = image(
        '<polygon label="cat" points="0,0;10,0;10,10;0,10" occluded="0"/>'
        '<box label="dog" xtl="30" ytl="0" xbr="40" ybr="10"/>'
        '<mask label="cat" rle="3, 17, 100" left="0" top="20" width="12" height="10"/>'
        '<mask label="cat" rle="0, 90" left="30" top="30" width="9" height="10"/>'
        '<ellipse label="dog" cx="15" cy="25" rx="5" ry="6"/>'
        '<polyline label="cat" points="0,0;40,40"/><points label="cat" points="20,20"/>'
    )
    path = cvat(tmp_path, body)
    assert read(path, GRID).hidden_indices().tolist() == [[0, 3, 9, 15]]
    assert Mask.load(path, GRID) == read(path, GRID)
    assert read(path, GRID, labels=["dog"]).hidden_indices().tolist() == [[3, 9]]
    assert read(path, GRID, threshold=0.15).hidden_indices().tolist() == [[0, 3, 8, 9, 15]]
    turned = cvat(
        tmp_path, image('<box label="a" xtl="5" ytl="15" xbr="35" ybr="25" rotation="90"/>')
    )
    upright = cvat(tmp_path, image('<box label="a" xtl="15" ytl="5" xbr="25" ybr="35"/>'))
    assert read(turned, GRID) == read(upright, GRID)


def test_every_picture_of_an_export_is_a_mask(tmp_path: Path) -> None:
    box = '<box label="a" xtl="0" ytl="0" xbr="{}" ybr="20"/>'
    path = cvat(
        tmp_path,
        image(box.format(40), "one.jpg")
        + image("", "folder/two.jpg")
        + image(box.format(80), "three.jpg", 80, 80),
    )
    assert read(path, GRID).counts.tolist() == [8, 0, 4]
    assert read(path, GRID, image="three.jpg").counts.tolist() == [4]
    with pytest.raises(BadInput, match="holds nothing with an area"):
        read(path, GRID, image="two.jpg")
    with pytest.raises(BadInput, match=r"no picture 'four\.jpg'; choose one of: one\.jpg, fold"):
        read(path, GRID, image="four.jpg")


@pytest.mark.parametrize("how", ["crop", "letterbox", "resize"])
@pytest.mark.parametrize("size", [(400, 700), (600, 330), (480, 480)])
def test_an_annotation_is_cut_as_its_photo_is(
    tmp_path: Path, how: Any, size: tuple[int, int]
) -> None:
    height, width = size
    grid = Grid(12, 12, patch=12)
    points = [(0.3 * width, 0.2 * height), (0.9 * width, 0.5 * height), (0.4 * width, height)]
    path = labelme(tmp_path, shape("polygon", *points), height=height, width=width)
    plane = np.zeros(size, bool)
    fill(plane, np.array(points))
    photo = np.repeat(np.where(plane, 255, 0).astype(np.uint8)[..., None], 3, axis=2)
    seen = fit(photo, *grid.pixels, how)[..., 0].reshape(12, 12, 12, 12).mean(axis=(1, 3)) / 255
    if how == "letterbox":
        bars = fit(np.zeros_like(photo), *grid.pixels, how)[..., 0] > 0
        seen -= bars.reshape(12, 12, 12, 12).mean(axis=(1, 3)) * 0.5
    mask = read(path, grid, fit=how)
    clear = np.abs(seen - 0.5) > 0.03  # resampling blurs the border
    assert clear.mean() > 0.9
    assert np.array_equal(mask.hidden[0][clear], seen[clear] > 0.5)


BOMB = (
    '<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'
)
FILE = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    ("head", "body", "sentence"),
    [
        (BOMB, image('<box label="&c;"/>'), "declares a document type, which no export needs"),
        (FILE, image('<box label="&x;"/>'), "declares a document type"),
        ("", image("<box"), "is no whole XML"),
        ("", "<track/>", "is no CVAT export"),
        ("", image('<box label="a" xtl="0" ytl="0" xbr="ten" ybr="1"/>'), "xbr is 'ten', but must"),
        ("", image('<box label="a" xtl="0" ytl="nan" xbr="1" ybr="1"/>'), "ytl is 'nan'"),
        ("", image('<box label="a" xtl="0" ytl="1e99" xbr="1" ybr="1"/>'), "ytl is '1e99'"),
        ("", image('<polygon label="a" points="1,2;3"/>'), "no .x, y. pairs in pixels"),
        ("", image('<polygon label="a"/>'), "no .x, y. pairs"),
        ("", image('<mask label="a" rle="5, 5" left="0" top="0" width="3" height="3"/>'), "add up"),
        ("", image('<mask label="a" rle="9" left="0" top="0" width="-3" height="-3"/>'), "add up"),
        ("", image("", width=0), "must have 1"),
        ("", image("", width=10**6, height=10**6), "must have 1"),
        ("", image(""), "holds nothing with an area; its labels are: none"),
        ("", image("<box/>" * 10_001), "xtl is ''"),
        ("", image('<box label="a" xtl="0" ytl="0" xbr="1" ybr="1"/>' * 10_001), "more than 10000"),
    ],
)
def test_a_broken_or_hostile_export_is_refused_in_a_sentence(
    tmp_path: Path, head: str, body: str, sentence: str
) -> None:
    path = cvat(tmp_path, body, head)
    for reader in (lambda: read(path, GRID), lambda: Mask.load(path, GRID)):
        with pytest.raises(BadInput, match=sentence) as caught:
            reader()
        assert str(caught.value).startswith("'annotations.xml': ")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("shapes", "sides", "sentence"),
    [
        ([shape("polygon", (1, 2))], (40, 40), "a 'polygon' of 1 points, which is not read"),
        ([shape("polygon", ("a", 2), (3, 4), (5, 6))], (40, 40), "no .x, y. pairs in pixels"),
        ([shape("star", (1, 2), (3, 4), (5, 6))], (40, 40), "a 'star' of 3 points"),
        ([shape("mask", (1, 2), (3, 4), mask="bm9wZQ==")], (40, 40), "its mask is no PNG"),
        ([shape("mask", (1, 2), (3, 4), mask="%%%")], (40, 40), "no whole .json mask|annotation"),
        ([shape("line", (1, 2), (3, 4))], (40, 40), "holds nothing with an area"),
        ([], (40, 40), "holds nothing with an area"),
        ([shape("rectangle", (1, 2), (3, 4))], (40.5, 40), "imageHeight and imageWidth are"),
        ([shape("rectangle", (1, 2), (3, 4))], (0, 40), "must have 1"),
        ([5], (40, 40), "no whole"),
    ],
)
def test_a_broken_labelme_file_is_refused(
    tmp_path: Path, shapes: list[Any], sides: tuple[Any, Any], sentence: str
) -> None:
    path = labelme(tmp_path, *shapes, height=sides[0], width=sides[1])
    for reader in (lambda: read(path, GRID), lambda: Mask.load(path, GRID)):
        with pytest.raises(BadInput, match=sentence) as caught:
            reader()
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_an_export_that_would_take_minutes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(annotations, "DRAWN_LIMIT", 10_000)
    path = cvat(tmp_path, image('<ellipse label="a" cx="0" cy="0" rx="99" ry="99"/>' * 6))
    assert read(path, GRID).counts.tolist() == [16]
    path = cvat(tmp_path, image('<ellipse label="a" cx="0" cy="0" rx="99" ry="99"/>' * 7))
    with pytest.raises(BadInput, match=r"things in 'cat\.jpg' are too many and large"):
        read(path, GRID)


def test_our_own_files_are_read_too_and_know_no_labels(tmp_path: Path) -> None:
    mask = Mask.from_bits("0110" * 4, GRID)
    for name in ("m.npz", "m.png", "m.json", "m.rle.json"):
        path = mask.save(tmp_path / name)
        assert read(path, GRID) == mask
        with pytest.raises(BadInput, match="is no annotation with labels and pictures"):
            read(path, GRID, labels=["cat"])
    with pytest.raises(BadInput, match=r"no known ending; masks are \.npz, \.png, \.rle\.json"):
        mask.save(tmp_path / "m.xml")
    with pytest.raises(BadInput, match=r"There is no file 'gone\.xml'"):
        read(tmp_path / "gone.xml", GRID)
    with pytest.raises(BadInput, match="fit is 'squash', but must be one of crop"):
        read(tmp_path / "m.npz", GRID, fit="squash")  # pyright: ignore[reportArgumentType]
