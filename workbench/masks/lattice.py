"""The lattice a mask lives on, and the one rule that turns a ratio into a count."""

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

from workbench.errors import BadInput, shown
from workbench.seeds import whole

CELL_LIMIT = 1 << 24
DOMAINS = ("image", "frequency", "sequence")


@dataclass(frozen=True)
class Grid:
    """Rows x cols cells of `patch` x `patch` pixels each; `frames` of them in a clip.

    A frame is a slot of time, a view, a modality or a band: `Strategy.frames` says which.
    `patch=1` is a pixel grid, 1 x N a bag or a sequence, `domain="frequency"` a spectrum.

    >>> Grid(14, 14, patch=16).count(0.75), Grid(14, 14).pixels, Grid(2, 3, frames=4).shape
    (147, (224, 224), (4, 2, 3))
    """

    rows: int
    cols: int
    patch: int = 16
    frames: int | None = None
    domain: str = "image"

    def __post_init__(self) -> None:
        """Check the sizes.

        Raises:
            BadInput: a size that is no whole number from 1 on, or more cells than memory allows.
        """
        names = (
            ("rows", "cols", "patch")
            if self.frames is None
            else ("rows", "cols", "patch", "frames")
        )
        for name in names:
            number = whole(f"Grid: {name}", getattr(self, name), 1, CELL_LIMIT)
            object.__setattr__(self, name, number)
        if self.domain not in DOMAINS:
            raise BadInput(f"Grid: domain is {shown(self.domain)}, but must be one of {DOMAINS}.")
        if self.size > CELL_LIMIT:
            raise BadInput(
                f"Grid: {self.shape} has {self.size} cells, but at most {CELL_LIMIT} are handled; "
                "take fewer rows and columns."
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """(rows, cols), or (frames, rows, cols) for a clip."""
        plane = (self.rows, self.cols)
        return plane if self.frames is None else (self.frames, *plane)

    @property
    def size(self) -> int:
        """Number of cells."""
        return self.rows * self.cols * (self.frames or 1)

    @property
    def pixels(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.rows * self.patch, self.cols * self.patch

    def count(self, ratio: float) -> int:
        """Return floor(ratio * size + 0.5), computed exactly for the ratio as printed.

        Raises:
            BadInput: the ratio is NaN or outside 0 to 1.
        """
        return rounded(float(ratio), self.size)

    def record(self) -> dict[str, Any]:
        """Return the grid as plain data; `Grid(**record)` gives it back."""
        return {
            "rows": self.rows, "cols": self.cols, "patch": self.patch,
            "frames": self.frames, "domain": self.domain,
        }  # fmt: skip


@lru_cache(maxsize=4096)
def rounded(ratio: float, size: int) -> int:
    """Return floor(ratio * size + 0.5) for the decimal number that `ratio` prints as.

    >>> rounded(0.285, 100), int(0.285 * 100 + 0.5)  # the binary product is 28.499999999999996
    (29, 28)
    """
    if not 0 <= ratio <= 1:
        raise BadInput(f"ratio is {ratio!r}, but must be a number from 0 to 1; take 0.75.")
    return int(Fraction(repr(ratio)) * size + Fraction(1, 2))
