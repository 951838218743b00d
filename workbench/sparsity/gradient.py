"""Hide the weights whose absence the loss would feel least."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn

from workbench.params import Knob
from workbench.sparsity.sparsifier import Progress, Search, Sparsifier, Task, hide_lowest


@dataclass(frozen=True, kw_only=True)
class Gradient(Sparsifier):
    """|weight * gradient|, to first order what the loss changes by when the weight goes.

    The mean gradient over the batches is taken first (Lee et al., SNIP; Molchanov et al.,
    Importance Estimation).
    """

    paper: ClassVar[str] = "arXiv:1810.02340"
    learns: ClassVar[bool] = True

    ratio: Annotated[float, Knob("share of the weights to hide", 0, 1, 0.05)] = 0.5
    together: Annotated[bool, Knob("rank all layers in one list")] = False
    batches: Annotated[int, Knob("batches to look at", 1, 10_000, 1, None, 64)] = 8

    def search(self, model: nn.Module, task: Task | None, seed: int) -> Search:
        """See `Sparsifier.search`."""
        assert task is not None
        weights = self.weights(model)
        felt: dict[str, Tensor] = {name: torch.zeros_like(w) for name, w in weights.items()}
        for step in range(self.batches):
            loss = task.of(model, step)
            slopes = torch.autograd.grad(loss, list(weights.values()))
            for name, slope in zip(weights, slopes, strict=True):
                felt[name] += slope / self.batches
            yield Progress(step, self.batches, float(loss.detach()), self.ratio)
        values = {name: (w.detach() * felt[name]).abs() for name, w in weights.items()}
        return self.found(hide_lowest(values, self.ratio, self.together))
