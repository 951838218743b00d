"""What every protocol shares: knobs, features with labels in, an accuracy with its interval out."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput
from workbench.registry import Member

if TYPE_CHECKING:
    from workbench.evaluations.subject import Subject

Report = Callable[[float], None]
NORMAL_95 = 1.959963984540054


@dataclass(frozen=True)
class Features:
    """What a frozen encoder says of pictures: float32 [n, d], with their classes, int64 [n]."""

    values: NDArray[np.float32]
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Check shapes and numbers.

        Raises:
            BadInput: they do not fit each other, or some value is no number.
        """
        if self.values.ndim != 2 or len(self.values) != len(self.labels) or not len(self.labels):
            raise BadInput(
                f"features are {self.values.shape} and labels {self.labels.shape}, wanted [n, d] "
                "and [n]; take labelled data."
            )
        if not np.isfinite(self.values).all():
            raise BadInput("a feature is no finite number; evaluate an earlier checkpoint.")


@dataclass(frozen=True)
class Score:
    """Share of test pictures told right, 0 to 1, with Wilson's 95% interval for `count` of them.

    `details` holds what else a protocol found, such as the decay that it chose.
    """

    accuracy: float
    low: float
    high: float
    count: int
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Evaluation(Member):
    """A protocol: frozen knobs, and one `score` on features of a frozen encoder.

    One that trains a copy of the encoder says so by `tunes` and states `judge` instead.
    """

    always_print: ClassVar[tuple[str, ...]] = ()
    described: ClassVar[tuple[str, ...]] = ("paper", "tunes")
    tunes: ClassVar[bool] = False

    def score(
        self,
        train: Features,
        test: Features,
        classes: int,
        report: Report = lambda share: None,
    ) -> Score:
        """Return how well the classes of `test` can be told with the help of `train`.

        `report` is called between steps of a second at most, as in `judge`.
        """
        raise NotImplementedError

    def judge(self, subject: "Subject", report: Report = lambda share: None) -> Score:
        """Return the score of a model.

        Args:
            subject: left as it is.
            report: called with the share that is done, 0 to 1; what it raises ends the work.
        """
        report(0.0)
        return self.score(*subject.encoded, subject.classes, report)


def scored(predicted: NDArray[Any], labels: NDArray[np.int64], **details: Any) -> Score:
    """Return the score of predictions, with Wilson's interval (E. B. Wilson, 1927)."""
    n, right = len(labels), int((predicted == labels).sum())
    share, square = right / n, NORMAL_95**2
    middle = (share + square / (2 * n)) / (1 + square / n)
    half = math.sqrt(share * (1 - share) / n + square / (4 * n * n)) * NORMAL_95 / (1 + square / n)
    return Score(share, max(0.0, middle - half), min(1.0, middle + half), n, details)
