"""Hide weights by lot."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import nn

from workbench.params import Knob
from workbench.sparsity.sparsifier import Search, Sparsifier, Task, finished, hide_lowest


@dataclass(frozen=True, kw_only=True)
class Random(Sparsifier):
    """An exact count of every layer, each set of weights equally likely; the other baseline."""

    paper: ClassVar[str] = "arXiv:2009.08576"

    ratio: Annotated[float, Knob("share of the weights to hide", 0, 1, 0.05)] = 0.5

    def search(self, model: nn.Module, task: Task | None, seed: int) -> Search:
        """See `Sparsifier.search`."""
        lots = torch.Generator().manual_seed(seed)
        drawn = {
            name: torch.rand(w.shape, generator=lots, dtype=torch.float64)
            for name, w in self.weights(model).items()
        }
        return finished(self.found(hide_lowest(drawn, self.ratio, together=False)))
