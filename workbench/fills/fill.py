"""What every fill shares: visible pixels stay as they are, to the bit, and values stay in range."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput
from workbench.registry import Member

Images = NDArray[np.float32]
Bools = NDArray[np.bool_]
GREY = 0.5


@dataclass(frozen=True, kw_only=True)
class Fill(Member):
    """What is shown in place of hidden pixels: frozen knobs and one `paint`.

    `transparent` fills have nothing to show: a picture with an alpha channel leaves them out.
    `sees_hidden` fills show a part of what is hidden, so a model that is given them is not blind.
    `fixed` ones paint each pixel of a picture alike whatever else of it is hidden.
    """

    transparent: ClassVar[bool] = False
    sees_hidden: ClassVar[bool] = False
    fixed: ClassVar[bool] = False
    described: ClassVar[tuple[str, ...]] = ("paper", "transparent", "sees_hidden")

    def paint(self, images: Images, hidden: Bools, seed: int) -> NDArray[np.floating[Any]]:
        """Return values for at least the hidden pixels; anything that broadcasts to `images`."""
        raise NotImplementedError

    def apply(self, images: Images, hidden: Bools, seed: int = 0) -> Images:
        """Replace hidden pixels.

        Args:
            images: float32 [b, 3, h, w] in [0, 1].
            hidden: bool [b, h, w], True = replaced; none or all of an image may be hidden.
            seed: seed of random fills; image i of the batch has index i.

        Returns:
            float32 [b, 3, h, w] in [0, 1]; visible pixels are equal to `images` to the bit.

        Raises:
            BadInput: shapes or types that do not go together.
        """
        wanted = (images.shape[0], *images.shape[2:])
        if images.ndim != 4 or hidden.shape != wanted or hidden.dtype != np.bool_:
            raise BadInput(
                f"{self.name}: images have the shape {images.shape} and hidden is {hidden.dtype} "
                f"of shape {hidden.shape}; give images [b, 3, h, w] and hidden as bool [b, h, w]"
            )
        painted = np.clip(self.paint(images, hidden, seed), 0, 1).astype(np.float32, copy=False)
        return np.where(hidden[:, None], painted, images)
