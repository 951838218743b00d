"""What every hand-made target shares: knobs, a width, and one function of the picture."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from workbench.registry import Member

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Target(Member):
    """A fixed description of each patch: frozen knobs, `width` numbers a patch.

    `pixels` says that these numbers are the colours of the patch in ImageNet-normalised RGB, so
    that a run can show them.
    """

    pixels: ClassVar[bool] = False
    always_print: ClassVar[tuple[str, ...]] = ()

    def width(self, patch: int) -> int:
        """Return how many numbers describe a patch of that side."""
        raise NotImplementedError

    def __call__(self, images: "Tensor", patch: int) -> "Tensor":
        """Describe float32 [b, 3, h, w] in [0, 1], giving float32 [b, n, width(patch)]."""
        raise NotImplementedError
