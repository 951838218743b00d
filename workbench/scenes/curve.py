"""Error against ratio for one photo, and the ratios that the model was trained with."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from workbench.errors import BadInput
from workbench.masks import MASKS, Mask
from workbench.scenes.batches import Subject, masks_of, subject
from workbench.scenes.compose import model_of
from workbench.scenes.matrix import MOST_CELLS, with_ratio
from workbench.scenes.photos import Pixels
from workbench.scenes.spec import SceneSpec

RATIOS = tuple(round(0.05 * step, 2) for step in range(1, 20))
STRATEGIES = ("random", "block", "units", "stripes")
DRAWS = 4


@dataclass(frozen=True)
class Point:
    """One strategy at one ratio, over some draws.

    `row` counts strategies and `col` ratios; `ratio` is what was asked for and `realised` the mean
    share hidden; `mse` is the mean over the draws of the mean squared error on hidden pixels in
    [0, 1] RGB, `low` and `high` the smallest and the largest; None, with a `note`, where there is
    nothing to reconstruct.
    """

    row: int
    col: int
    ratio: float
    realised: float | None = None
    mse: float | None = None
    low: float | None = None
    high: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Training:
    """The ratios of the masks that a model was trained with, one a recipe of its card.

    `usual` is the most frequent one, the first of several; None if the card does not say.
    """

    ratios: tuple[float, ...]

    @property
    def usual(self) -> float | None:
        """The most frequent ratio."""
        return Counter(self.ratios).most_common(1)[0][0] if self.ratios else None


def training(spec: SceneSpec) -> Training:
    """Read the training ratios from the card of the scene's model; empty if it is silent."""
    card = model_of(spec).card
    preset = card.get("preset")
    recipes = preset.get("masks") if isinstance(preset, dict) else None
    found: list[float] = []
    for recipe in recipes if isinstance(recipes, list | tuple) else ():
        try:
            ratio = getattr(MASKS.parse(recipe), "ratio", None)
        except BadInput:  # of a strategy that is not here
            continue
        if isinstance(ratio, float):
            found.append(ratio)
    stated = card.get("mask_ratio")
    if not found and isinstance(stated, int | float) and 0 <= stated <= 1:
        found.append(float(stated))
    return Training(tuple(found))


def curve(
    spec: SceneSpec,
    strategies: Sequence[str] = STRATEGIES,
    ratios: Sequence[float] = RATIOS,
    draws: int = DRAWS,
    pixels: Pixels | None = None,
) -> Iterator[Point]:
    """Yield one point a strategy and ratio, ratio by ratio, each as soon as it is measured.

    Args:
        spec: the scene; draw i has the scene's seed + i, so draw 0 is the scene of the first view.
        strategies: recipes; their ratio is set by `with_ratio`.
        ratios: shares to hide.
        draws: masks a point, 1 to 256.
        pixels: uint8 [h, w, 3] to use in place of the photo that the scene names.

    Raises:
        BadInput: no strategy or ratio, too many of them, or a photo or model that does not exist.
    """
    count = len(strategies) * len(ratios)
    if not (0 < count <= MOST_CELLS and 1 <= draws <= 256):
        raise BadInput(
            f"{len(strategies)} strategies x {len(ratios)} ratios x {draws} draws were asked for, "
            f"wanted 1 to {MOST_CELLS} points of 1 to 256 draws; ask for fewer."
        )
    asked = subject(spec, pixels)
    for col, ratio in enumerate(ratios):
        drawn: dict[int, Mask] = {}
        for row, strategy in enumerate(strategies):
            try:
                changed = spec.replace(mask=str(with_ratio(strategy, ratio)))
                drawn[row] = masks_of(changed, draws, pixels)
            except BadInput as error:
                yield Point(row, col, ratio, note=str(error))
        yield from _measured(asked, drawn, col, ratio)


def _measured(asked: Subject, drawn: Mapping[int, Mask], col: int, ratio: float) -> Iterator[Point]:
    """The points of one ratio; masks of all strategies go to the model together."""
    if not drawn:
        return
    together = Mask.stack(list(drawn.values()))
    found = np.full(len(together), np.nan)
    for rows in asked.parts(together.counts):
        found[rows] = asked.errors(together.hidden[rows])
    for row, mask, errors in zip(drawn, drawn.values(), np.split(found, len(drawn)), strict=True):
        realised = float(mask.counts.mean() / asked.grid.size)
        good = errors[np.isfinite(errors)]
        if len(good):
            numbers = (float(good.mean()), float(good.min()), float(good.max()))
            yield Point(row, col, ratio, realised, *numbers)
        else:
            note = "Nothing is hidden or nothing is visible, so there is no error."
            yield Point(row, col, ratio, realised, note=note)
