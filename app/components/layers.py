"""The mask's layers: a list that appears with the second one, and what it does to the scene."""

from typing import Any
from urllib.parse import urlencode

import streamlit as st

from app import stack, state
from app.components import painter
from app.components.scripts import component
from app.knob_rows import strategy_label
from workbench import scenes
from workbench.masks import MASKS
from workbench.masks.layers import OPS, PLACES
from workbench.scenes import Stack
from workbench.scenes.stack import hand_bits, is_brush
from workbench.schedules import Schedule

KEY = "layers"
NEW = {"strategy": "random(ratio=0.3)", "brush": "painted()"}


def draw(patches: int) -> None:
    """The list, the top layer first, and three ways to add one."""
    now, shown = stack.current(), stack.is_open()
    component("layers")(
        key=KEY,
        data={
            "open": shown,
            "chosen": stack.chosen(),
            "full": len(now.layers) >= len(PLACES),
            "ops": list(OPS),
            "query": urlencode(state.spec().to_query()),
            "layers": [_row(now, at, patches) for at in range(len(now.layers))] if shown else [],
            "problem": state.problems().get("layers", ""),
            "note": st.session_state.get("layers_note", ""),
            "done": st.session_state.get("layers_done", 0),
        },
        on_acts_change=_acted,
    )


def _row(now: Stack, at: int, patches: int) -> dict[str, Any]:
    one = now.layers[at]
    return {
        "name": "Brush" if is_brush(one) else strategy_label(one.of.name),
        "detail": detail(now, at, patches), "brush": is_brush(one),
        "op": one.op, "on": one.on, "invert": one.invert,
    }  # fmt: skip


def detail(now: Stack, at: int, patches: int) -> str:
    """What tells two layers of one strategy apart: the ratio, or how much is painted."""
    one = now.layers[at]
    if is_brush(one):
        hide, show = (bits.count("1") for bits in hand_bits(now, at, patches))
        told = [f"{hide} hidden"] * (hide > 0) + [f"{show} shown"] * (show > 0)
        return ", ".join(told) or "empty"
    ratio = getattr(one.of, "ratio", None)
    return "" if ratio is None else str(ratio) if isinstance(ratio, Schedule) else f"{ratio:.0%}"


def _acted() -> None:
    """Presses in the list that were not heard of before, in their order."""
    for act in ((st.session_state.get(KEY) or {}).get("acts") or {}).get("list", []):
        if act["turn"] > st.session_state.get("layers_done", 0):
            st.session_state["layers_done"] = act["turn"]
            _act(act)


def _act(act: dict[str, Any]) -> None:
    """One press; what cannot be done leaves the layers as they are and is told."""
    now, do, before = stack.current(), str(act.get("do")), stack.target()
    at = act.get("at", 0)
    if do not in _ACTS or not isinstance(at, int) or not 0 <= at < len(now.layers):
        return
    st.session_state["layers_note"] = str(act.get("note", ""))
    state.attempt("layers", lambda: _ACTS[do](now, at, act))
    if do in ("move", "remove", "add") or stack.target() != before:
        painter.replace_strokes()


def _selected(now: Stack, at: int, act: dict[str, Any]) -> scenes.SceneSpec:
    stack.choose(at)
    return state.spec()


def _added(now: Stack, at: int, act: dict[str, Any]) -> scenes.SceneSpec:
    recipe = act.get("recipe") or NEW["brush" if act.get("of") == "brush" else "strategy"]
    more = now.added(MASKS.parse(recipe))
    stack.set_open(True)
    stack.choose(len(more.layers) - 1)
    return stack.keep(more)


def _moved(now: Stack, at: int, act: dict[str, Any]) -> scenes.SceneSpec:
    to = max(0, min(at + (1 if act.get("up") else -1), len(now.layers) - 1))
    stack.choose({at: to, to: at}.get(stack.chosen(), stack.chosen()))
    return stack.keep(now.moved(at, to))


def _removed(now: Stack, at: int, act: dict[str, Any]) -> scenes.SceneSpec:
    if len(now.layers) < 2:
        return state.spec()
    left = now.without(at)
    alone = len(left.layers) == 1
    stack.choose(None if alone else max(0, stack.chosen() - (stack.chosen() >= at)))
    stack.set_open(not alone)
    return stack.keep(left)


def _set(now: Stack, at: int, act: dict[str, Any]) -> scenes.SceneSpec:
    given: dict[str, Any] = act.get("values") or {}
    values = {name: given[name] for name in ("op", "on", "invert") if name in given}
    return stack.keep(now.changed(at, **values))


_ACTS = {"select": _selected, "add": _added, "move": _moved, "remove": _removed, "set": _set}
