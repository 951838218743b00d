"""Hide the smallest weights."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from torch import nn

from workbench.params import Knob
from workbench.sparsity.sparsifier import Search, Sparsifier, Task, finished, hide_lowest


@dataclass(frozen=True, kw_only=True)
class Magnitude(Sparsifier):
    """The weights nearest to zero go, an exact count, in every layer or over all layers together.

    Han et al., Learning both Weights and Connections; the baseline that every learnt mask has to
    beat at equal kept weights. Equal to `torch.nn.utils.prune.l1_unstructured`.
    """

    paper: ClassVar[str] = "arXiv:1506.02626"

    ratio: Annotated[float, Knob("share of the weights to hide", 0, 1, 0.05)] = 0.5
    together: Annotated[bool, Knob("rank all layers in one list")] = False

    def search(self, model: nn.Module, task: Task | None, seed: int) -> Search:
        """See `Sparsifier.search`."""
        sizes = {name: w.detach().abs() for name, w in self.weights(model).items()}
        return finished(self.found(hide_lowest(sizes, self.ratio, self.together)))
