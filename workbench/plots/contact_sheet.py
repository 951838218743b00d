"""Pictures in rows and columns with names at the edges."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

GAP, HEAD, LETTER = 6, 22, 7
PAPER, INK = (251, 251, 250), (28, 36, 35)


def contact_sheet(
    pictures: Mapping[tuple[int, int], NDArray[np.uint8]],
    rows: Sequence[str],
    cols: Sequence[str],
) -> NDArray[np.uint8]:
    """Lay pictures out on paper.

    Args:
        pictures: uint8 [h, w, 3] of one size by (row, column); places without one stay empty.
        rows: names of the rows, written on their left.
        cols: names of the columns, written above them.

    Returns:
        uint8 [height, width, 3].
    """
    height, width = next(iter(pictures.values())).shape[:2]
    left = 2 * GAP + LETTER * max((len(name) for name in rows), default=0)
    size = (left + len(cols) * (width + GAP), HEAD + len(rows) * (height + GAP))
    sheet = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(sheet)
    for col, name in enumerate(cols):
        pen.text((left + col * (width + GAP) + width // 2, GAP), name, fill=INK, anchor="mt")
    for row, name in enumerate(rows):
        pen.text((GAP, HEAD + row * (height + GAP) + height // 2), name, fill=INK, anchor="lm")
    for (row, col), picture in pictures.items():
        at = (left + col * (width + GAP), HEAD + row * (height + GAP))
        sheet.paste(Image.fromarray(picture), at)
    return np.asarray(sheet)
