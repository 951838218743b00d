"""Histograms of the directions of gradients, cell by cell (MaskFeat)."""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from workbench.models.patches import patchify
from workbench.objectives.targets.target import Target
from workbench.params import Knob

FLAT = 1e-3  # histograms shorter than this are of flat cells and stay short


@dataclass(frozen=True, kw_only=True)
class Hog(Target):
    """Gradient directions over half a turn in `bins`, weighed by length, of each colour and cell.

    Each histogram of a cell has length 1, so that neither brightness nor contrast matters. A patch
    whose side is no multiple of `cell` is one cell.

    Dalal and Triggs 2005; Wei et al., MaskFeat, official file `slowfast/models/operators.py`.
    """

    paper: ClassVar[str] = "arXiv:2112.09133"

    bins: Annotated[int, Knob("directions", 2, 64, 1, None, 18)] = 9
    cell: Annotated[int, Knob("side of a cell in pixels", 1, 256, 1, None, 16)] = 8

    def width(self, patch: int) -> int:
        """Bins of every cell and colour."""
        return 3 * self.bins * (patch // self._side(patch)) ** 2

    def __call__(self, images: Tensor, patch: int) -> Tensor:
        """See `Target`."""
        b, c, h, w = images.shape
        padded = F.pad(images, (1, 1, 1, 1), mode="replicate")
        across = padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]
        down = padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]
        turn = torch.atan2(down, across) / math.pi * self.bins
        which = turn.floor().long() % self.bins
        length = (across.square() + down.square()).sqrt().unsqueeze(2)
        votes = torch.zeros(b, c, self.bins, h, w, device=images.device, dtype=images.dtype)
        votes.scatter_(2, which.unsqueeze(2), length)
        side = self._side(patch)
        cells = F.avg_pool2d(votes.flatten(1, 2), side).view(b, c, self.bins, h // side, w // side)
        cells = F.normalize(cells, dim=2, eps=FLAT)
        return patchify(cells.flatten(1, 2), patch // side)

    def _side(self, patch: int) -> int:
        return self.cell if patch % self.cell == 0 else patch
