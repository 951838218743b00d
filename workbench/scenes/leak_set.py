"""The leak meter and the model's error over a set of photos."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from workbench.errors import BadInput
from workbench.scenes.leak import LeakMeter, leak
from workbench.scenes.photos import Pixels
from workbench.scenes.spec import SceneSpec


@dataclass(frozen=True)
class LeakSet:
    """Means over `done` of `total` photos, each photo counting the same.

    `rows` are (name, mean squared error on hidden pixels in [0, 1] RGB), the model first;
    `explained` is the mean share of the mean colour's error that the best interpolation of each
    photo explains; `difficulty` is the model's mean error; `photos` are (name, the model's error).
    """

    done: int
    total: int
    rows: tuple[tuple[str, float], ...]
    explained: float
    photos: tuple[tuple[str, float], ...]

    @property
    def difficulty(self) -> float:
        """The model's mean squared error on hidden pixels, in [0, 1] RGB."""
        return self.rows[0][1]


def leak_over(spec: SceneSpec, photos: Sequence[tuple[str, Pixels | None]]) -> Iterator[LeakSet]:
    """Measure one photo after another and yield the means so far, so that one may stop in between.

    Photo i is masked with the seed `spec.seed + i`, on the grid of the scene's model.

    Args:
        spec: mask, model and seed; its photo is not used.
        photos: names, each with its pixels uint8 [h, w, 3], or None for a photo that is here.

    Raises:
        BadInput: no photo, or see `leak`.
    """
    if not photos:
        raise BadInput("no photo was named; give at least one.")
    meters: list[LeakMeter] = []
    for number, (name, pixels) in enumerate(photos):
        scene = spec.replace(photo=name[-200:], seed=spec.seed + number)
        meters.append(leak(scene, pixels))
        yield _mean(meters, [name for name, _ in photos[: number + 1]], len(photos))


def _mean(meters: Sequence[LeakMeter], names: Sequence[str], total: int) -> LeakSet:
    errors = [[metrics.mse or 0.0 for _, metrics in meter.rows] for meter in meters]
    means = [float(mean) for mean in np.mean(errors, axis=0)]
    return LeakSet(
        done=len(meters),
        total=total,
        rows=tuple(zip((name for name, _ in meters[0].rows), means, strict=True)),
        explained=float(np.mean([meter.explained for meter in meters])),
        photos=tuple((name, each[0]) for name, each in zip(names, errors, strict=True)),
    )
