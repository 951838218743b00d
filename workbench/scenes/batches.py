"""One photo under many masks: errors and pictures in batches, equal to the bit in any batch."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput
from workbench.masks import Grid, Mask
from workbench.scenes.compose import activity, check_card, grid_of, model_of, preview_of
from workbench.scenes.photos import Pixels, fitted
from workbench.scenes.spec import SceneSpec

if TYPE_CHECKING:
    from workbench.models.batched import PictureUnderMasks

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Subject:
    """A scene's photo before the scene's model, whatever is hidden.

    `photo` is what the model sees, uint8 [h, w, 3]; `precision` is the one in use, never "auto".
    """

    spec: SceneSpec
    grid: Grid
    photo: Pixels
    precision: str
    _under: "PictureUnderMasks"

    @property
    def batch(self) -> int:
        """How many masks the next call should hold, all hiding equally many (see `parts`).

        It follows the machine: a call should last a tenth of a second at most. Results do not
        depend on it.
        """
        return self._under.batch

    def patch_errors(self, hidden: Bools) -> NDArray[np.float32]:
        """Mean squared error of each hidden patch in [0, 1] RGB, 0 where visible.

        Args:
            hidden: bool [b, rows, cols], every mask hiding equally many patches.

        Returns:
            float32 [b, rows, cols].
        """
        with activity:
            return self._under.errors(hidden.reshape(len(hidden), -1)).reshape(hidden.shape)

    def errors(self, hidden: Bools) -> NDArray[np.float64]:
        """Mean squared error over the hidden pixels of each mask, float64 [b]; see above."""
        return mean_errors(self.patch_errors(hidden), hidden)

    def parts(self, counts: NDArray[np.integer]) -> Iterator[NDArray[np.intp]]:
        """Indices of the masks to ask about in one call each; see `alike`."""
        return alike(counts, lambda: self.batch, self.grid.size)

    def composites(self, hidden: Bools) -> NDArray[np.uint8]:
        """The photo with its hidden patches predicted, uint8 [b, h, w, 3]; see above."""
        with activity:
            return self._under.composites(hidden.reshape(len(hidden), -1))


def mean_errors(patch_errors: NDArray[np.float32], hidden: Bools) -> NDArray[np.float64]:
    """Mean over the hidden patches of each mask, both [b, rows, cols], float64 [b]."""
    b = len(hidden)
    total = patch_errors.reshape(b, -1).sum(1, dtype=np.float64)
    return total / hidden.reshape(b, -1).sum(1)


def subject(spec: SceneSpec, pixels: Pixels | None = None) -> Subject:
    """Fit the photo to the model and make both ready; the scene's mask plays no part.

    Args:
        spec: names photo, fit, model, precision and device.
        pixels: uint8 [h, w, 3] to use in place of the photo that the scene names.

    Raises:
        BadInput: a photo or model that does not exist.
    """
    from workbench.data.images import fit
    from workbench.models.batched import PictureUnderMasks

    grid, model = grid_of(spec), model_of(spec)
    check_card(model.grid, grid, spec)
    if pixels is None:
        photo = fitted(spec.photo, *grid.pixels, spec.fit)
    else:
        photo = fit(pixels, *grid.pixels, spec.fit)
    under = PictureUnderMasks(model, photo, grid)
    return Subject(spec, grid, photo, model.precision, under)


def errors(spec: SceneSpec, masks: Mask, pixels: Pixels | None = None) -> NDArray[np.float64]:
    """Mean squared error in [0, 1] RGB over the hidden pixels of one photo under many masks.

    Args:
        spec: names photo, fit, model, precision and device; its own mask plays no part.
        masks: any number of masks on the model's grid; counts may differ.
        pixels: see `subject`.

    Returns:
        float64 [b], in the order of `masks`; NaN where a mask hides nothing or everything. The
        composite is not rounded to bytes; with the bundled model `compose` differs by below 1e-5.

    Raises:
        BadInput: see `subject`; masks on another grid.
    """
    asked = subject(spec, pixels)
    if masks.grid != asked.grid:
        raise BadInput(
            f"the masks are on {masks.grid}, but the model {spec.model} has {asked.grid}; "
            "draw them on the model's grid."
        )
    found = np.full(len(masks), np.nan)
    for rows in asked.parts(masks.counts):
        found[rows] = asked.errors(masks.hidden[rows])
    return found


def alike(
    counts: NDArray[np.integer], most: Callable[[], int], size: int
) -> Iterator[NDArray[np.intp]]:
    """Indices of masks that hide equally many patches, at most `most()` at a time.

    Masks that hide nothing or all of `size` patches are left out: no model answers them. The
    counts come in the order in which they first appear.
    """
    for count in dict.fromkeys(counts.tolist()):
        rows = np.flatnonzero(counts == count) if 0 < count < size else np.arange(0)
        while len(rows):
            now = max(most(), 1)
            yield rows[:now]
            rows = rows[now:]


def masks_of(spec: SceneSpec, count: int, pixels: Pixels | None = None) -> Mask:
    """The scene's mask under its seed and the `count` - 1 seeds after it, as one batch.

    Row i is the mask of the first view at seed `spec.seed + i`.

    Raises:
        BadInput: see `preview`.
    """
    seeds = range(spec.seed, spec.seed + count)
    if spec.strategy.needs:  # it looks at the photo
        drawn = [preview_of(spec.replace(seed=seed), pixels).mask for seed in seeds]
    else:
        grid = grid_of(spec)
        drawn = [spec.strategy.sample(grid, seed=seed) for seed in seeds]
    return Mask.stack(drawn)
