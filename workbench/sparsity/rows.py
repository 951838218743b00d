"""Hide whole rows of weights: units that say nothing any more."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from torch import nn

from workbench.params import Knob
from workbench.sparsity.sparsifier import Search, Sparsifier, Task, finished, hide_lowest


@dataclass(frozen=True, kw_only=True)
class Rows(Sparsifier):
    """The output units (filters of a convolution) with the smallest L2 norm go as a whole.

    Li et al., Pruning Filters for Efficient ConvNets. Equal to
    `torch.nn.utils.prune.ln_structured(n=2, dim=0)`.
    """

    paper: ClassVar[str] = "arXiv:1608.08710"

    ratio: Annotated[float, Knob("share of the units to hide", 0, 1, 0.05)] = 0.25

    def search(self, model: nn.Module, task: Task | None, seed: int) -> Search:
        """See `Sparsifier.search`."""
        weights = self.weights(model)
        norms = {name: w.detach().flatten(1).norm(dim=1) for name, w in weights.items()}
        gone = hide_lowest(norms, self.ratio, together=False)
        wide = {
            name: gone[name].view(-1, *[1] * (w.ndim - 1)).expand_as(w).clone()
            for name, w in weights.items()
        }
        return finished(self.found(wide))
