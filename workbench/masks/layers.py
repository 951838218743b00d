"""Stack masks as layers of a picture: hide, subtract, keep in common, where one differs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput, shown
from workbench.masks.lattice import Grid
from workbench.masks.ranking import hide_lowest
from workbench.masks.strategy import Counts, Drawn, Maps, Strategy
from workbench.params import Knob
from workbench.schedules import FORMS
from workbench.seeds import Noise, whole

Bools = NDArray[np.bool_]
LOCK_STREAM = 0x10C4  # that of painted(lock=...), so that both settle a mask alike
OPS = ("or", "and", "minus", "xor")
PLACES = "abcdefgh"
DRAW_LIMIT = 999
_JOIN: dict[str, Callable[[Bools, Bools], Bools]] = {
    "or": np.logical_or,
    "and": np.logical_and,
    "minus": np.greater,
    "xor": np.logical_xor,
}


@dataclass(frozen=True)
class Layer:
    """A strategy's place in a stack; see `layer`."""

    of: Strategy
    op: str = "or"
    on: bool = True
    invert: bool = False
    draw: int | None = None

    def __post_init__(self) -> None:
        """Check operation and switches."""
        if not isinstance(self.of, Strategy):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise BadInput(
                f"layer: of is {shown(self.of)}, but must be a recipe such as random(ratio=0.5)."
            )
        if self.op not in OPS:
            raise BadInput(f"layer: op is {shown(self.op)}, but must be one of {', '.join(OPS)}.")
        for name in ("on", "invert"):
            if type(getattr(self, name)) is not bool:
                value = shown(getattr(self, name))
                raise BadInput(f"layer: {name} is {value}, but must be True or False.")
        if self.draw is not None:
            whole("layer: draw", self.draw, 0, DRAW_LIMIT)

    @property
    def moving(self) -> tuple[str, ...]:
        """Whether the strategy follows a schedule."""
        return self.of.moving

    def at(self, progress: float) -> "Layer":
        """Return the layer for a point of training."""
        return replace(self, of=self.of.at(progress))

    def points(self) -> tuple[float, ...]:
        """Progresses at which the strategy has to be legal."""
        return self.of.points()

    def __str__(self) -> str:
        """Return `layer(random(ratio=0.5), op="minus")` with what differs from the default."""
        parts = [str(self.of)]
        parts += [f'op="{self.op}"'] * (self.op != "or") + ["on=False"] * (not self.on)
        parts += ["invert=True"] * self.invert
        parts += [f"draw={self.draw}"] * (self.draw is not None)
        return f"layer({', '.join(parts)})"


def layer(
    of: Strategy, op: str = "or", on: bool = True, invert: bool = False, draw: int | None = None
) -> Any:
    """Return a strategy with its place in a stack of `layers`; the strategy itself if all is usual.

    Args:
        of: what this layer hides.
        op: how it joins what lies below: "or" hides its patches too, "minus" shows them, "and"
            keeps hidden what both hide, "xor" what one of both hides.
        on: False leaves the layer out.
        invert: take the patches that the strategy does not hide.
        draw: number of its noise, 0 to 999; its place from the bottom without it. Layers with one
            number draw alike.

    Raises:
        BadInput: another operation, or no strategy.
    """
    made = Layer(of, op, on, invert, draw)
    return of if made == Layer(of) else made


Place = Annotated[Layer | Strategy | None, Knob("a recipe, or layer(recipe, op=...)")]


@dataclass(frozen=True, kw_only=True)
class Layers(Strategy):
    """Join up to eight masks from the bottom, `a`, to the top, `h`.

    The lowest layer that is on begins the stack, whatever its operation. Patches shown by hand in a
    painted layer become visible whatever lies below if it joins with "or". With `lock` patches are
    then hidden or shown at random until exactly floor(lock * n + 0.5) are hidden; patches painted
    by hand are touched last. Layer k draws its own noise, `a` that of its strategy alone. Targets
    are not kept. A stack without layers hides nothing.
    """

    counts: ClassVar[Counts] = "free"
    always_print: ClassVar[tuple[str, ...]] = ()
    forms: ClassVar[Mapping[str, Callable[..., Any]]] = {**FORMS, "layer": layer}

    a: Place = None
    b: Place = None
    c: Place = None
    d: Place = None
    e: Place = None
    f: Place = None
    g: Place = None
    h: Place = None
    lock: Annotated[float | None, Knob("exact share of patches hidden", 0, 1, 0.05)] = None

    @property
    def stack(self) -> tuple[Layer, ...]:
        """The layers from the bottom, each with the number of its noise."""
        found: list[Layer] = []
        for at, name in enumerate(PLACES):
            value: Layer | Strategy | None = getattr(self, name)
            if value is not None:
                one = value if isinstance(value, Layer) else Layer(value)
                found.append(one if one.draw is not None else replace(one, draw=at))
        return tuple(found)

    @property
    def needs(self) -> tuple[str, ...]:
        """Score maps of all layers that are on, each once."""
        wanted = (recipe for one in self.stack if one.on for recipe in one.of.needs)
        return tuple(dict.fromkeys(wanted))

    @property
    def promise(self) -> Counts:
        """Exact when locked."""
        return "free" if self.lock is None else "exact"

    def draw(self, grid: Grid, noise: Noise, maps: Maps) -> Drawn:
        """Join the layers from the bottom, then settle the ratio."""
        hidden = np.zeros((noise.count, grid.size), bool)
        hand = np.zeros((2, grid.size), bool)  # hidden and shown by hand in the end
        for at, one in enumerate(each for each in self.stack if each.on):
            mask = one.of.drawn(grid, noise.branch(one.draw or 0), maps)
            own = mask.hidden.reshape(hidden.shape) ^ one.invert
            op = one.op if at else "or"
            by_hand = None if one.invert else one.of.by_hand(grid)
            if by_hand is not None:
                hide, show = by_hand
                if op == "or":
                    hidden = hidden & ~show
                    hand = np.stack([hand[0] & ~show | hide, hand[1] & ~hide | show])
                elif op == "minus":
                    hand = np.stack([hand[0] & ~hide, hand[1] | hide])
            hidden = _JOIN[op](hidden, own)
        if self.lock is not None:
            hidden = _locked(hidden, hand, noise, grid.count(self.lock))
        return hidden.reshape(-1, *grid.shape)


def _locked(hidden: Bools, hand: Bools, noise: Noise, count: int) -> Bools:
    """Rank: hidden by hand, hidden, shown, shown by hand; at random within each."""
    rank = np.where(hidden, np.uint64(1), np.uint64(2))
    rank[hidden & hand[0]] = 0
    rank[~hidden & hand[1]] = 3
    keys = noise.bits(hidden.shape[1], LOCK_STREAM).astype(np.uint64)
    return hide_lowest(keys | rank << np.uint64(32), count)
