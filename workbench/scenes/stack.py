"""A scene's mask as a stack of layers: taken apart for an editor, put together as one recipe."""

from dataclasses import dataclass, replace
from typing import Any, cast

from workbench.errors import BadInput
from workbench.masks import Strategy
from workbench.masks.layers import DRAW_LIMIT, PLACES, Layer, Layers
from workbench.masks.painted import Painted, cells
from workbench.scenes.paint import patch_ranges
from workbench.scenes.spec import SceneSpec


@dataclass(frozen=True)
class Stack:
    """Layers from the bottom to the top, and the exact share hidden in the end or None.

    Every layer has the number of its noise, so that it draws alike wherever it moves. `recipe` is
    the shortest one that draws the same: a strategy, `painted(...)` over it, or `layers(...)`.
    """

    layers: tuple[Layer, ...]
    lock: float | None = None

    @property
    def recipe(self) -> str:
        """The stack as one recipe."""
        under = [each for each in self.layers if not is_brush(each)]
        top = self.layers[-1] if self.layers and is_brush(self.layers[-1]) else None
        plain = all(
            each.on and not each.invert and (each.op == "or" or not at)
            for at, each in enumerate(self.layers)
        )
        if not plain or len(under) > 1 or len(self.layers) - len(under) > (top is not None):
            return self.whole
        below = under[0].of if under else None
        if below is not None and (below.name == Painted.name or under[0].draw):
            return self.whole
        brush = Painted() if top is None else cast(Painted, top.of)
        if top is None and self.lock is None and below is not None:
            return str(below)
        if top is not None and below is not None and not (brush.hide or brush.show):
            return self.whole  # a brush that has painted nothing yet is a layer all the same
        return str(replace(brush, over=below, lock=self.lock))

    @property
    def whole(self) -> str:
        """The stack as `layers(...)`, also where less would do."""
        places: dict[str, Any] = {}
        for at, (name, each) in enumerate(zip(PLACES, self.layers, strict=False)):
            usual = is_brush(each) or each.draw == at
            one = replace(each, draw=None) if usual else each
            places[name] = one.of if one == Layer(one.of) else one
        return str(Layers(**places, lock=self.lock))

    def added(self, of: Strategy) -> "Stack":
        """The stack with one more layer on top, which draws as no other does.

        Raises:
            BadInput: it has as many layers as a recipe names.
        """
        if len(self.layers) >= len(PLACES):
            raise BadInput(
                f"The mask has {len(self.layers)} layers, and {len(PLACES)} is the most; delete "
                "one, or make two of them one recipe."
            )
        taken = {each.draw for each in self.layers}
        free = next(at for at in range(DRAW_LIMIT) if at not in taken)
        return replace(self, layers=(*self.layers, Layer(of, draw=free)))

    def changed(self, at: int, **changes: Any) -> "Stack":
        """The stack with fields of one layer changed: of, op, on or invert."""
        layers = list(self.layers)
        layers[at] = replace(layers[at], **changes)
        return replace(self, layers=tuple(layers))

    def moved(self, at: int, to: int) -> "Stack":
        """The stack with one layer at another place from the bottom."""
        layers = list(self.layers)
        layers.insert(max(0, min(to, len(layers) - 1)), layers.pop(at))
        return replace(self, layers=tuple(layers))

    def without(self, at: int) -> "Stack":
        """The stack without one layer; a last one that draws does so as its strategy alone."""
        layers = [each for place, each in enumerate(self.layers) if place != at]
        drawing = [place for place, each in enumerate(layers) if not is_brush(each)]
        if len(drawing) == 1:
            layers[drawing[0]] = replace(layers[drawing[0]], draw=0)
        return replace(self, layers=tuple(layers))

    def target(self, chosen: int | None = None) -> int | None:
        """The layer that a brush paints on: the chosen one if it is painted, else the topmost."""
        brushes = [at for at, each in enumerate(self.layers) if is_brush(each)]
        if chosen in brushes:
            return chosen
        return brushes[-1] if brushes else None


def is_brush(layer: Layer) -> bool:
    """Whether a layer holds nothing but patches given by hand."""
    if layer.of.name != Painted.name:
        return False
    painted = cast(Painted, layer.of)
    return painted.over is None and painted.lock is None


def stack_of(spec: SceneSpec) -> Stack:
    """Take a scene's mask apart into layers."""
    return _stack(spec.strategy)


def _stack(strategy: Strategy) -> Stack:
    alone = Stack((Layer(strategy, draw=0),))
    if strategy.name == Layers.name:
        top = cast(Layers, strategy)
        return Stack(top.stack or (Layer(Painted(), draw=0),), top.lock)
    if strategy.name != Painted.name:
        return alone
    painted = cast(Painted, strategy)
    below = Stack(()) if painted.over is None else _stack(painted.over)
    if below.lock is not None or len(below.layers) >= len(PLACES):
        return alone
    if painted.lock is not None and any(is_brush(each) for each in below.layers):
        return alone  # as layers, the lock would touch both their hand edits last
    bare = replace(painted, over=None, lock=None)
    empty = not (painted.hide or painted.show) and painted.over is not None
    layers = below.layers if empty else Stack(below.layers).added(bare).layers
    return Stack(layers, painted.lock)


def with_stack(spec: SceneSpec, stack: Stack) -> SceneSpec:
    """The scene with this stack as its mask."""
    return spec.replace(mask=stack.recipe)


def painted_on(stack: Stack, at: int | None, hide: str, show: str) -> Stack:
    """The stack with these hand edits on a painted layer; None adds one on top.

    Args:
        stack: what there is.
        at: number of a painted layer from the bottom.
        hide: bits, "1" a patch hidden by hand.
        show: bits, "1" a patch shown by hand.
    """
    brush = Painted(hide=patch_ranges(hide), show=patch_ranges(show))
    if at is not None:
        return stack.changed(at, of=brush)
    return stack if brush == Painted() else stack.added(brush)


def hand_bits(stack: Stack, at: int | None, patches: int) -> tuple[str, str]:
    """The hand edits of a painted layer as bits (hidden, shown); none for None.

    Raises:
        BadInput: patches beyond the grid.
    """
    painted = Painted() if at is None else cast(Painted, stack.layers[at].of)
    pair = cells("hide", painted.hide, patches), cells("show", painted.show, patches)
    hide, show = ("".join("01"[int(bit)] for bit in part) for part in pair)
    return hide, show


def below_brush(stack: Stack, at: int | None) -> str:
    """The recipe of what a brush paints over: the stack without that layer and the lock."""
    layers = tuple(each for place, each in enumerate(stack.layers) if place != at)
    return Stack(layers).whole


def fit_patches(stack: Stack, patches: int) -> tuple[Stack, str]:
    """Empty painted layers that name patches beyond the grid.

    Returns:
        The stack, and the sentence of the last layer that was emptied or "".
    """
    sentence = ""
    for at, each in enumerate(stack.layers):
        try:
            if is_brush(each):
                hand_bits(stack, at, patches)
        except BadInput as error:
            stack, sentence = stack.changed(at, of=Painted()), str(error)
    return stack, sentence
