"""What every way of hiding weights shares: knobs, a network in, weight masks out."""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.params import Knob
from workbench.registry import Member
from workbench.sparsity.weight_masks import WeightMasks, maskable

WHERE = ("all", "attention", "mlp", "convolutions")


@dataclass(frozen=True)
class Task:
    """What the weights are needed for: batches by step, and a loss on what the network says.

    `batches(step)` gives (inputs, labels), always the same for the same step.
    """

    batches: Callable[[int], tuple[Tensor, Tensor]]
    loss: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy

    def of(self, model: nn.Module, step: int) -> Tensor:
        """Loss of the network on one batch."""
        inputs, labels = self.batches(step)
        return self.loss(model(inputs), labels)

    def with_weights(self, model: nn.Module, weights: Mapping[str, Tensor], step: int) -> Tensor:
        """Loss on one batch with some weights replaced; the network itself stays as it is."""
        inputs, labels = self.batches(step)
        said = torch.func.functional_call(model, dict(weights), (inputs,))
        return self.loss(said, labels)


@dataclass(frozen=True)
class Progress:
    """One step of a search for weights: `ratio` is the share that it would hide now."""

    step: int
    steps: int
    loss: float
    ratio: float
    notes: Mapping[str, float] = field(default_factory=dict)


Search = Generator[Progress, None, WeightMasks]


@dataclass(frozen=True, kw_only=True)
class Sparsifier(Member):
    """A way of choosing weights to hide; the network is never changed by the choice.

    An author writes `search`, which may yield `Progress` and returns the masks. `learns` says
    whether it needs a `Task`.
    """

    learns: ClassVar[bool] = False
    described: ClassVar[tuple[str, ...]] = ("paper", "learns")

    where: Annotated[str, Knob("which weights may be hidden", choices=WHERE)] = "all"

    def search(self, model: nn.Module, task: Task | None, seed: int) -> Search:
        """Choose; yields progress where that takes a while."""
        raise NotImplementedError

    def choose(
        self,
        model: nn.Module,
        task: Task | None = None,
        *,
        seed: int = 0,
        watch: Callable[[Progress], object] | None = None,
    ) -> WeightMasks:
        """Return the masks.

        Args:
            model: any network; its weights are read only.
            task: what the weights are needed for; only where `learns`.
            seed: of whatever is drawn.
            watch: called with each step of a search.

        Raises:
            BadInput: a task is needed and not given, or nothing may be hidden.
        """
        steps = self.steps_of(model, task, seed)
        while True:
            try:
                progress = next(steps)
            except StopIteration as end:
                return end.value
            if watch is not None:
                watch(progress)

    def steps_of(self, model: nn.Module, task: Task | None = None, seed: int = 0) -> Search:
        """The search as a generator, for whoever wants to stop it in between."""
        if self.learns and task is None:
            raise BadInput(f"{self.name} learns from pictures and labels; give it a task.")
        return self.search(model, task, seed)

    def weights(self, model: nn.Module) -> dict[str, Tensor]:
        """Weights that may be hidden."""
        return maskable(model, self.where)

    def found(self, hidden: Mapping[str, Tensor]) -> WeightMasks:
        """Masks with this recipe's name on them."""
        return WeightMasks({name: bits.cpu() for name, bits in hidden.items()}, str(self))


def finished(masks: WeightMasks) -> Search:
    """A search that takes no steps."""
    yield from ()
    return masks


def progress_of(step: int, steps: int) -> float:
    """0 at the first step, 1 at the last."""
    return step / max(1, steps - 1)


def share(hidden: Mapping[str, Tensor]) -> float:
    """Share of all weights that is hidden."""
    return sum(int(b.sum()) for b in hidden.values()) / sum(b.numel() for b in hidden.values())


def hide_lowest(values: Mapping[str, Tensor], ratio: float, together: bool) -> dict[str, Tensor]:
    """Hide the lowest values, exactly floor(ratio * n + 0.5) of n, a layer or all together.

    Of equal values the earlier one goes first.
    """
    if together:
        flat = torch.cat([each.flatten() for each in values.values()])
        bits = _lowest(flat, ratio)
        parts = bits.split([each.numel() for each in values.values()])
        return {
            name: part.view_as(each)
            for (name, each), part in zip(values.items(), parts, strict=True)
        }
    return {
        name: _lowest(each.flatten(), ratio).view_as(each).clone() for name, each in values.items()
    }


def _lowest(values: Tensor, ratio: float) -> Tensor:
    count = int(ratio * values.numel() + 0.5)
    bits = torch.zeros(values.numel(), dtype=torch.bool, device=values.device)
    bits[values.argsort(stable=True)[:count]] = True
    return bits
