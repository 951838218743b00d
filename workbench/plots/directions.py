"""Histograms of directions as a picture: a bundle of strokes a cell."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

SHARP = 4


def directions_picture(histograms: NDArray[np.floating], side: int = 16) -> NDArray[np.uint8]:
    """Draw each cell's gradients as strokes across them, along the edges that caused them.

    Args:
        histograms: [rows, cols, bins], not negative; bin k is a gradient between k and k + 1 times
            180 / bins degrees, 0 to the right and 90 downwards.
        side: pixels of a cell.

    Returns:
        uint8 [rows * side, cols * side, 3], white on black; the fullest bin of all is white.
    """
    rows, cols, bins = histograms.shape
    top = float(histograms.max()) or 1.0
    large = side * SHARP
    whole = Image.new("L", (cols * large, rows * large), 0)
    pen = ImageDraw.Draw(whole)
    angles = (np.arange(bins) + 0.5) * np.pi / bins + np.pi / 2
    reach = np.stack([np.cos(angles), np.sin(angles)], axis=1) * large * 0.46
    for row in range(rows):
        for col in range(cols):
            middle = np.array([col + 0.5, row + 0.5]) * large
            for k in np.argsort(histograms[row, col]):
                ends = (*(middle - reach[k]), *(middle + reach[k]))
                ink = round(255 * float(histograms[row, col, k]) / top)
                if ink:
                    pen.line(ends, ink, SHARP + 2)
    small = whole.resize((cols * side, rows * side), Image.Resampling.LANCZOS)
    return np.asarray(small.convert("RGB"))
