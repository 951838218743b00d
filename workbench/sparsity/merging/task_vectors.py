"""What fine-tuning changed: differences of weights that can be added and taken away again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from workbench.errors import BadInput

State = Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class TaskVector:
    """Fine-tuned weights minus the weights they came from, by name (floating point only).

    Ilharco et al., Editing Models with Task Arithmetic, arXiv:2212.04089.
    """

    change: State

    @classmethod
    def between(cls, base: State, tuned: State) -> "TaskVector":
        """Return the vector from `base` to `tuned`, two state dicts of one architecture.

        Raises:
            BadInput: names or shapes differ; the sentence names the first one that does.
        """
        for name in sorted(base.keys() | tuned.keys()):
            seen = tuple(tuned[name].shape) if name in tuned else "not there"
            wanted = tuple(base[name].shape) if name in base else "not there"
            if seen != wanted:
                raise BadInput(
                    f"{name} is {seen} in the tuned network and {wanted} in the base; a task "
                    "vector needs two networks of one architecture."
                )
        return cls(
            {name: tuned[name] - base[name] for name in base if base[name].is_floating_point()}
        )

    def scaled(self, scale: float | Callable[[str], Tensor | float]) -> "TaskVector":
        """Multiply by one number, or by one for each name."""
        if callable(scale):
            return TaskVector({name: scale(name) * each for name, each in self.change.items()})
        return TaskVector({name: scale * each for name, each in self.change.items()})


def add_vectors(
    base: State, vectors: Sequence[TaskVector], scale: float = 0.3
) -> dict[str, Tensor]:
    """Return base + scale * sum of the vectors; what is not floating point stays the base's."""
    out = dict(base)
    for vector in vectors:
        for name, change in vector.change.items():
            out[name] = out[name] + scale * change
    return out
