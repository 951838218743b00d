"""Which patches the tokens of a running network stand for."""

from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from torch import Tensor, nn

from workbench.masks import Grid

AFTER_ALL = 1 << 30


@dataclass
class Flow:
    """Notes that interventions leave for each other while a network runs.

    `kept` maps the place at which tokens were dropped, (layer, how manieth there), to the patches
    that went on, int64 [b or 1, k]; `merged` the layer before which they were merged to the lattice
    of the centres, and `restored` are layers before which they were put back.
    """

    kept: dict[tuple[int, int], Tensor] = field(default_factory=dict[tuple[int, int], Tensor])
    merged: dict[int, Grid] = field(default_factory=dict[int, Grid])
    restored: set[int] = field(default_factory=set[int])

    def patches(self, layer: int, turn: int = AFTER_ALL) -> Tensor | None:
        """Patches that enter a layer, int64 [b or 1, k]; None for all of them, in order.

        With `turn` those that one of several droppings at this layer begins with.
        """
        before = [at for at in self.kept if at < (layer, turn)]
        return self.kept[max(before)] if before else None

    def centres(self, layer: int) -> Grid | None:
        """The lattice of centres that a layer works on; None for patches."""
        before = [at for at in self.merged if at <= layer]
        if not before or any(max(before) < at <= layer for at in self.restored):
            return None
        return self.merged[max(before)]


_flows: WeakKeyDictionary[nn.Module, Flow] = WeakKeyDictionary()


def flow_of(module: nn.Module) -> Flow:
    """The notes of a network; empty while nothing is changed in it."""
    return _flows.setdefault(module, Flow())


def forget(module: nn.Module) -> None:
    """Throw the notes of a network away."""
    _flows.pop(module, None)
