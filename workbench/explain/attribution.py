"""How much each part of a picture counts for a class, and what has to be said about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.masks import Grid

SHOWN = 224  # about so many pixels wide in a notebook


@dataclass(frozen=True, eq=False, repr=False)
class Attribution:
    """A map of one picture for one class.

    `values` float32 [h, w] over the picture or [rows, cols] over its cells; positive speaks for the
    class. `target` is the class, `label` its name, `score` what the network said of it. `method`
    and `removal` are recipes, the latter empty where nothing was removed. `evaluations` counts
    pictures shown, `notes` holds what the method found besides, such as a completeness gap.
    """

    values: NDArray[np.float32]
    target: int
    label: str
    score: float
    method: str
    removal: str
    evaluations: int
    notes: Mapping[str, float] = field(default_factory=dict[str, float])

    def __repr__(self) -> str:
        """One line; the map itself is a picture."""
        rows, cols = self.values.shape
        said = f"{self.label or self.target} ({self.score:.3g}) by {self.method}"
        said += f", removed with {self.removal}" if self.removal else ""
        return f"<Attribution of {said}: {rows} x {cols}, {'blank' if self.blank else 'not blank'}>"

    def _repr_png_(self) -> bytes:
        """What a notebook shows: the map on its own scale, red for and blue against the class."""
        from io import BytesIO

        from PIL import Image

        from workbench.plots.attribution import attribution_map

        rows, cols = self.values.shape
        grown = max(1, SHOWN // max(rows, cols))
        kept = BytesIO()
        painted = attribution_map(self.scaled(), (rows * grown, cols * grown))
        Image.fromarray(painted).save(kept, "PNG")
        return kept.getvalue()

    @property
    def blank(self) -> bool:
        """Whether the map says nothing: one value everywhere."""
        return float(np.ptp(self.values)) <= 1e-12 * max(1.0, float(np.abs(self.values).max()))

    def cells(self, grid: Grid) -> NDArray[np.float32]:
        """Mean of the map in each cell, [rows, cols]."""
        if self.values.shape == grid.shape:
            return self.values
        rows = _shares(self.values.shape[0], grid.rows)
        cols = _shares(self.values.shape[1], grid.cols)
        return (rows @ self.values @ cols.T).astype(np.float32)

    def scaled(self, top: float | None = None) -> NDArray[np.float32]:
        """Values from -1 to 1: divided by `top`, or by the largest size in this map.

        Maps of two networks are compared with one `top`, the larger of `largest` of both.
        """
        top = self.largest if top is None else top
        return np.clip(self.values / top, -1, 1) if top > 0 else np.zeros_like(self.values)

    @property
    def largest(self) -> float:
        """The largest size of a value."""
        return float(np.abs(self.values).max())

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, without the map."""
        return {
            "target": self.target,
            "label": self.label,
            "score": self.score,
            "method": self.method,
            "removal": self.removal,
            "evaluations": self.evaluations,
            "shape": list(self.values.shape),
            "largest": self.largest,
            "blank": self.blank,
            "notes": dict(self.notes),
        }


def _shares(fine: int, coarse: int) -> NDArray[np.float64]:
    """How much of each fine line belongs to each coarse one, [coarse, fine]; rows sum to 1."""
    edges = np.linspace(0, fine, coarse + 1)
    at = np.arange(fine)
    overlap = np.minimum(at[None] + 1, edges[1:, None]) - np.maximum(at[None], edges[:-1, None])
    return np.clip(overlap, 0, None) * coarse / fine
