"""Strategies against ratios on one photo: a picture and its numbers for every pair."""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.metrics import Metrics, hidden_metrics
from workbench.errors import BadInput
from workbench.masks import MASKS, Strategy
from workbench.masks.painted import Painted
from workbench.params import knobs
from workbench.scenes.batches import Subject, subject
from workbench.scenes.compose import Preview, preview_of, to_float
from workbench.scenes.photos import Pixels
from workbench.scenes.spec import SceneSpec

STRATEGIES = (
    "random", "block", "inverse_block", "units", "grid", "stripes", "color_noise", "random_field",
)  # fmt: skip
RATIOS = (0.3, 0.5, 0.6, 0.75, 0.9)
MOST_CELLS = 4096


@dataclass(frozen=True)
class Cell:
    """One strategy at one ratio.

    `row` counts strategies and `col` ratios; `spec` opens as a scene in any view; `hidden` bool
    [rows, cols]; `composite` uint8 [h, w, 3] and `metrics` as `compose` makes them. Where there is
    no picture `note` is the sentence that says why, and the other fields may be None.
    """

    row: int
    col: int
    spec: SceneSpec | None
    hidden: NDArray[np.bool_] | None = None
    composite: Pixels | None = None
    metrics: Metrics | None = None
    note: str = ""


def with_ratio(strategy: str | Strategy, ratio: float) -> Strategy:
    """The strategy at this ratio: its own knob, or a lock over what it draws if it has none.

    >>> str(with_ratio("block(min_patches=4)", 0.5)), str(with_ratio("multi_block", 0.5))
    ('block(ratio=0.5, min_patches=4)', 'painted(hide="", over=multi_block(), lock=0.5)')

    Raises:
        BadInput: an unknown strategy, or a ratio that it refuses.
    """
    known = MASKS.parse(strategy)
    names = {knob.name for knob in knobs(type(known))}
    if "ratio" in names:
        changed: Any = dataclasses.replace(known, **{"ratio": ratio})
        return changed
    if isinstance(known, Painted):
        return dataclasses.replace(known, lock=ratio)
    return Painted(over=known, lock=ratio)


def matrix(
    spec: SceneSpec,
    strategies: Sequence[str] = STRATEGIES,
    ratios: Sequence[float] = RATIOS,
    pixels: Pixels | None = None,
) -> Iterator[Cell]:
    """Yield every cell once, each as soon as it is made: ratio by ratio, the first one alone.

    Args:
        spec: the scene; its mask alone changes from cell to cell.
        strategies: recipes, a row each; their ratio is set by `with_ratio`.
        ratios: shares to hide, a column each.
        pixels: uint8 [h, w, 3] to use in place of the photo that the scene names.

    Raises:
        BadInput: no strategy or no ratio, more than 4096 cells, or a photo or model that does not
            exist. What goes wrong in one cell is that cell's `note`.
    """
    count = len(strategies) * len(ratios)
    if not 0 < count <= MOST_CELLS:
        raise BadInput(
            f"{len(strategies)} strategies x {len(ratios)} ratios are {count} cells, wanted 1 to "
            f"{MOST_CELLS}; name at least one strategy and one ratio."
        )
    asked = subject(spec, pixels)
    places = [(row, col) for col in range(len(ratios)) for row in range(len(strategies))]
    columns = [places[:1]]  # the first cell alone, so that there is something to see at once
    for col in range(len(ratios)):
        columns.append([place for place in places[1:] if place[1] == col])
    for column in columns:
        drawn: dict[tuple[int, int], Preview] = {}
        for row, col in column:
            try:
                strategy = with_ratio(strategies[row], ratios[col])
                drawn[row, col] = preview_of(spec.replace(mask=str(strategy)), pixels)
            except BadInput as error:
                yield Cell(row, col, None, note=str(error))
        yield from _answered(asked, drawn)


def _answered(asked: Subject, drawn: dict[tuple[int, int], Preview]) -> Iterator[Cell]:
    """Ask the model about cells that hide equally many patches together."""
    places, previews = list(drawn), list(drawn.values())
    counts = np.array([seen.card.hidden for seen in previews], int)
    for rows in asked.parts(counts):
        hidden = np.stack([previews[row].hidden for row in rows])
        for row, composite in zip(rows.tolist(), asked.composites(hidden), strict=True):
            yield _cell(places[row], previews[row], asked, composite)
    for place, seen in zip(places, previews, strict=True):
        if seen.card.hidden in (0, asked.grid.size):
            what = "nothing is hidden" if seen.card.hidden == 0 else "nothing is visible"
            note = f"{seen.spec.mask}: {what}, so there is nothing to reconstruct."
            yield Cell(*place, seen.spec, seen.hidden, note=note)


def _cell(place: tuple[int, int], seen: Preview, asked: Subject, composite: Pixels) -> Cell:
    truth, hidden = to_float(asked.photo), seen.mask.to_pixels()[0]
    metrics = hidden_metrics(truth, to_float(composite), hidden)
    return Cell(*place, seen.spec, seen.hidden, composite, metrics)
