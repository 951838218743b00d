"""How well a model fills in random hidden patches, beside what interpolation alone reaches."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.baselines import BASELINES, baseline
from workbench.data.images import fit
from workbench.masks import MASKS

if TYPE_CHECKING:
    from workbench.models.reconstruction import Reconstructor

RATIOS = (0.5, 0.75, 0.9)


@dataclass(frozen=True)
class Row:
    """One ratio: mean squared error on hidden pixels in [0, 1] RGB, by name of who guessed.

    Each error is the mean over photos of a photo's mean over masks; `better` is the share of photos
    on which the model beats each baseline.
    """

    ratio: float
    errors: dict[str, float]
    better: dict[str, float]


@dataclass(frozen=True)
class ReconstructionTable:
    """The measured table of a card: what it was measured on, and a row a ratio."""

    model: str
    model_hash: str
    precision: str
    photos: tuple[str, ...]
    masks_per_photo: int
    rows: tuple[Row, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def measure(
    model: "Reconstructor",
    pictures: Sequence[tuple[str, NDArray[np.uint8]]],
    *,
    name: str,
    ratios: Iterable[float] = RATIOS,
    masks: int = 8,
    report: Callable[[int, int], None] | None = None,
) -> ReconstructionTable:
    """Measure a model and four baselines on the same hidden pixels.

    A photo is cropped at its centre to the model's size; mask k of photo i is
    `random(ratio)` with seed k and image index i.

    Args:
        model: from `load_reconstructor`.
        pictures: (name, uint8 [h, w, 3]).
        name: the model's name, for the table.
        ratios: shares of patches hidden.
        masks: masks a photo and ratio.
        report: called with (done, all) after every photo and ratio.
    """
    height, width = model.size
    wanted = tuple(ratios)
    rows: list[Row] = []
    for at, ratio in enumerate(wanted):
        strategy = MASKS.parse(f"random(ratio={ratio!r})")
        per_photo: dict[str, list[float]] = {}
        for i, (_, pixels) in enumerate(pictures):
            photo = fit(pixels, height, width, "crop").transpose(2, 0, 1)
            original = np.ascontiguousarray(photo, dtype=np.float32) / np.float32(255)
            sums = dict.fromkeys(["model", *BASELINES], 0.0)
            for k in range(masks):
                mask = strategy.sample(model.grid, count=1, seed=k, first=i)
                hidden = mask.to_pixels()[0]
                guesses = {"model": model(original[None], mask).composite[0].numpy()}
                for other in BASELINES:
                    guesses[other] = baseline(other, original, hidden)
                for who, guess in guesses.items():
                    sums[who] += float(np.square(guess - original)[:, hidden].mean()) / masks
            for who, error in sums.items():
                per_photo.setdefault(who, []).append(error)
            if report is not None:
                report(at * len(pictures) + i + 1, len(wanted) * len(pictures))
        ours = np.array(per_photo["model"])
        better = {who: float((ours < np.array(per_photo[who])).mean()) for who in BASELINES}
        errors = {who: float(np.mean(values)) for who, values in per_photo.items()}
        rows.append(Row(ratio, errors, better))
    names = tuple(label for label, _ in pictures)
    return ReconstructionTable(name, model.hash, model.precision, names, masks, tuple(rows))
