"""Which layers the page shows, and which of them is being worked on."""

import streamlit as st

from app import state
from workbench import scenes
from workbench.masks import MASKS
from workbench.masks.layers import Layer
from workbench.masks.painted import Painted
from workbench.scenes import Stack
from workbench.scenes.stack import is_brush, painted_on


def current() -> Stack:
    """The layers of the page's mask."""
    return scenes.stack_of(state.spec())


def is_open() -> bool:
    """Whether the list is shown: once there is more than a strategy and a brush over it."""
    return bool(st.session_state.get("layers_open")) or state.spec().mask.startswith("layers(")


def chosen() -> int:
    """The layer whose knobs are shown: the one pressed, else the lowest that is no brush."""
    layers = current().layers
    at = st.session_state.get("layer")
    if at is None or not 0 <= at < len(layers):
        at = next((at for at, each in enumerate(layers) if not is_brush(each)), 0)
    return at


def choose(at: int | None) -> None:
    """Show the knobs of another layer; None forgets the choice."""
    st.session_state["layer"] = at


def set_open(is_so: bool) -> None:
    """Keep the list in sight, or put it away."""
    st.session_state["layers_open"] = is_so


def target() -> int | None:
    """The layer that the brush paints on; None where painting makes one."""
    return current().target(chosen())


def keep(changed: Stack) -> scenes.SceneSpec:
    """The scene with these layers; an open list keeps a brush that has painted nothing yet."""
    blank = any(each.of == Painted() for each in changed.layers)
    if blank and is_open() and len(changed.layers) > 1:
        return state.spec().replace(mask=changed.whole)
    return scenes.with_stack(state.spec(), changed)


def edited(now: Stack, hide: str, show: str) -> Stack:
    """The stack with these bits on the layer that the brush paints on; the first stroke adds one.

    Beside a strategy alone, a brush that takes everything back is gone.
    """
    at = now.target(chosen())
    painted = painted_on(now, at, hide, show)
    if at is not None and "1" not in hide + show and not is_open() and len(now.layers) > 1:
        return painted.without(at)
    return painted


def replaced(now: Stack, at: int, recipe: str) -> Stack:
    """The stack with another strategy in a layer; a brush gets it below itself."""
    of = MASKS.parse(recipe)
    brush = is_brush(Layer(of))
    if is_brush(now.layers[at]) and not brush:
        return now.added(of).moved(len(now.layers), at)
    others = any(is_brush(each) for place, each in enumerate(now.layers) if place != at)
    if brush and others and not is_open():
        return now.without(at)
    return now.changed(at, of=of)
