"""Scikit-learn's 1,797 handwritten digits, 8 x 8 px: on every machine, without a download."""

from dataclasses import dataclass
from typing import ClassVar

from workbench.data import labelled
from workbench.data.sets.dataset import Dataset, Pictures, resized, split


@dataclass(frozen=True, kw_only=True)
class Digits(Dataset):
    """1,438 for training and 359 for testing (every fifth), grey repeated over three channels."""

    gives: ClassVar[tuple[str, ...]] = ("images", "labelled")
    side: ClassVar[int] = 8
    licence: ClassVar[str] = "CC BY 4.0 (E. Alpaydin, C. Kaynak; UCI)"

    def load(self, size: int, *, train: bool = True) -> Pictures:
        """See `Dataset.load`."""
        whole = labelled.digits()
        part = split(Pictures(whole.images, whole.labels, whole.classes), train)
        return Pictures(resized(part.images, size), part.labels, part.classes, part.names)
