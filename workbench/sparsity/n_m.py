"""Keep the N largest of every M weights: the pattern that sparse tensor cores read."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import nn

from workbench.errors import BadInput
from workbench.params import Knob, validate
from workbench.sparsity.groups import grouped, spread
from workbench.sparsity.sparsifier import Search, Sparsifier, Task, finished


@dataclass(frozen=True, kw_only=True)
class NM(Sparsifier):
    """Of `group` weights that follow each other along the inputs, the `keep` largest stay.

    Mishra et al., Accelerating Sparse Deep Neural Networks (2:4). Layers whose inputs are no
    multiple of `group` stay whole and are not among the masks.
    """

    paper: ClassVar[str] = "arXiv:2104.08378"
    always_print: ClassVar[tuple[str, ...]] = ("keep", "group")

    keep: Annotated[int, Knob("weights of a group that stay", 0, 16)] = 2
    group: Annotated[int, Knob("weights in a group", 2, 16)] = 4

    def __post_init__(self) -> None:
        """Check that what is kept fits into the group."""
        validate(self, self.name)
        if self.keep > self.group:
            raise BadInput(
                f"n_m: keep is {self.keep}, but a group holds {self.group}; take keep <= group."
            )

    def search(self, model: nn.Module, task: Task | None, seed: int) -> Search:
        """See `Sparsifier.search`."""
        hidden = {}
        for name, groups in grouped(self.weights(model), self.group).items():
            order = groups.detach().abs().argsort(dim=1, stable=True)
            bits = torch.zeros_like(groups, dtype=torch.bool)
            bits.scatter_(1, order[:, : self.group - self.keep], True)
            hidden[name] = spread(bits, self.weights(model)[name].shape)
        return finished(self.found(hidden))
