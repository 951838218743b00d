"""What every intervention shares: frozen knobs, a recipe, and a way in that leaves no trace."""

import threading
from collections.abc import Generator, Iterable
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar
from weakref import WeakKeyDictionary

from torch import nn

from workbench.errors import BadInput
from workbench.interventions.flow import forget
from workbench.interventions.opened import GIVEN, Opened
from workbench.masks import Mask
from workbench.models.network import Images, Kind, Network, network_of
from workbench.params import Knob
from workbench.registry import Member

ON_VIT: tuple[Kind, ...] = ("vit",)
ON_BLOCKS: tuple[Kind, ...] = ("vit", "windows")

Layer = Annotated[int, Knob("block, 0 the first, -1 the last", -512, 511, 1, None, 11)]
Layers = Annotated[
    tuple[int, ...] | None, Knob("blocks, such as [0, 1]; None for all", -512, 511, 1)
]
HiddenBy = Annotated[str, Knob(f"recipe of the mask, or {GIVEN}: the one of the picture")]
Seed = Annotated[int, Knob("seed of a mask that is drawn", 0, 2**31 - 1, 1, None, 99)]


@dataclass(frozen=True, kw_only=True)
class Intervention(Member):
    """A change inside a network while it runs.

    An author writes `install`, which makes its changes through `Opened`; undoing is not his affair.
    `on` are the kinds of network that it works in, `wants` what must be handed over ("mask",
    "source"), `idle` the knobs with which it changes nothing (recipe text), and `hides` whether
    what it hides cannot reach the output at all when all layers take part.
    """

    always_print: ClassVar[tuple[str, ...]] = ()
    described: ClassVar[tuple[str, ...]] = ("paper", "on", "wants", "idle", "hides")
    on: ClassVar[tuple[Kind, ...]] = ON_VIT
    wants: ClassVar[tuple[str, ...]] = ()
    idle: ClassVar[str] = ""
    hides: ClassVar[bool] = False

    def install(self, opened: Opened) -> None:
        """Make the changes.

        Raises:
            BadInput: the network has no such layer, head or token.
        """
        raise NotImplementedError

    def apply(
        self, model: Any, *, mask: Mask | None = None, source: Images | None = None
    ) -> AbstractContextManager[Network]:
        """Change a model for the time of a block, see `intervene`."""
        return installed(model, [self], mask=mask, source=source)


_locks: WeakKeyDictionary[nn.Module, Any] = WeakKeyDictionary()
_guard = threading.Lock()


@contextmanager
def installed(
    model: Any,
    interventions: Iterable[Intervention],
    *,
    mask: Mask | None = None,
    source: Images | None = None,
) -> Generator[Network]:
    """Put interventions into a network in their order, and take them out again.

    Arguments, what is yielded and what is refused are those of `intervene`.
    """
    network = network_of(model)
    with exclusively(network):
        opened = Opened(network, mask, source)
        with opened.undo:
            opened.undo.callback(forget, network.module)
            for each in interventions:
                _check(each, opened)
                each.install(opened)
            yield network


def exclusively(network: Network) -> Any:
    """A lock that keeps other threads out of a network; one thread may take it again."""
    with _guard:
        return _locks.setdefault(network.module, threading.RLock())


def _check(each: Intervention, opened: Opened) -> None:
    network = opened.network
    if network.kind not in each.on:
        kinds = {"vit": "vision transformers", "windows": "Swin", "convnet": "convnets"}
        raise BadInput(
            f"{each.name} works in {' and '.join(kinds[kind] for kind in each.on)}, but "
            f"{network.name} is of another kind; choose another intervention or model."
        )
    if "source" in each.wants and opened.source is None:
        raise BadInput(
            f"{each.name} takes activations from another picture, but none was given; pass source=."
        )
