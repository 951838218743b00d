"""How far one recipe spreads: the same scene under many seeds."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.metrics import hidden_metrics
from workbench.errors import BadInput
from workbench.scenes.batches import masks_of, subject
from workbench.scenes.compose import to_float
from workbench.scenes.photos import Pixels
from workbench.scenes.spec import SceneSpec

SEEDS = 16


@dataclass(frozen=True)
class Spread:
    """The paste-backs of `seeds` so far.

    `mean` float32 [h, w, 3] in [0, 1] and `variance` float32 [h, w], the mean over channels of the
    variance over seeds (population variance, in squared units of [0, 1]); `times` int [rows, cols]
    counts in how many seeds a patch was hidden; `mse` and `psnr_db` float64, one a seed, over its
    hidden pixels as `compose` counts them. `skipped` seeds hid nothing or everything.
    """

    seeds: tuple[int, ...]
    mean: NDArray[np.float32]
    variance: NDArray[np.float32]
    times: NDArray[np.intp]
    mse: NDArray[np.float64]
    skipped: tuple[int, ...]

    @property
    def psnr_db(self) -> NDArray[np.float64]:
        """PSNR a seed; infinite without error."""
        with np.errstate(divide="ignore"):
            return -10 * np.log10(self.mse)


def spread(spec: SceneSpec, seeds: int = SEEDS, pixels: Pixels | None = None) -> Iterator[Spread]:
    """Make the scene under its seed and those after it; yields what is known after every call.

    Args:
        spec: the scene; seed i of the result is `spec.seed + i`.
        seeds: how many, 2 to 4096.
        pixels: uint8 [h, w, 3] to use in place of the photo that the scene names.

    Raises:
        BadInput: see `compose`; a number of seeds out of range; a mask that never hides something
            and shows something.
    """
    if not 2 <= seeds <= 4096:
        raise BadInput(f"{seeds} seeds were asked for, wanted 2 to 4096; take 16.")
    asked = subject(spec, pixels)
    numbers = [spec.seed + at for at in range(seeds)]
    hidden = masks_of(spec, seeds, pixels).hidden
    counts = hidden.reshape(seeds, -1).sum(1)
    skipped = tuple(
        seed for seed, count in zip(numbers, counts, strict=True)
        if count in (0, asked.grid.size)
    )  # fmt: skip
    if len(skipped) == seeds:
        raise BadInput(f"{spec.mask} hides nothing or everything under every seed; move its ratio.")
    truth, patch = to_float(asked.photo), asked.grid.patch
    first, second = np.zeros(truth.shape), np.zeros(truth.shape)
    times = np.zeros(asked.grid.shape, np.intp)
    known: dict[int, float] = {}
    for rows in asked.parts(counts):
        for row, composite in zip(rows.tolist(), asked.composites(hidden[rows]), strict=True):
            guess = to_float(composite)
            # Sums of differences from the photo: those of large numbers would lose flat areas.
            off = guess.astype(np.float64) - truth
            first += off
            second += off * off
            times += hidden[row]
            at = np.repeat(np.repeat(hidden[row], patch, 0), patch, 1)
            known[numbers[row]] = hidden_metrics(truth, guess, at).mse or 0.0
        n = len(known)
        mean, variance = first / n, np.maximum(second / n - np.square(first / n), 0)
        yield Spread(
            tuple(sorted(known)),
            np.clip(truth + mean, 0, 1).transpose(1, 2, 0).astype(np.float32),
            variance.mean(0).astype(np.float32),
            times.copy(),
            np.array([known[seed] for seed in sorted(known)]),
            skipped,
        )
