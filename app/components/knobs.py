"""The strategy and the fill, with controls made from their declared knobs."""

from dataclasses import replace
from functools import partial
from typing import Any

import streamlit as st

from app import stack, state
from app.components import layers, painter
from app.components.scripts import component
from app.knob_rows import (
    PAINT_ONLY,
    carried,
    declared_rows,
    mask_rows,
    menu,
    plain,
    score_of,
    strategy_label,
    tuned,
    whole_number,
)
from workbench import scenes
from workbench.fills import FILLS
from workbench.masks import MASKS
from workbench.scenes.stack import is_brush


def draw_mask(patches: int) -> None:
    """Strategy menu, its knobs, the seed and the exact-ratio lock, of the layer worked on."""
    now, at = stack.current(), stack.chosen()
    of = now.layers[at].of
    base = None if is_brush(now.layers[at]) else of
    if stack.is_open():
        layers.draw(patches)
    names = list(menu("masks"))
    name = PAINT_ONLY if base is None else of.name
    key = _menu_key(name)
    st.selectbox(
        "Mask strategy", names if name in names else [*names, name], key=key,
        format_func=strategy_label, help=menu("masks").get(name), on_change=_strategy, args=(key,),
        disabled=_brush_of_a_list(),
    )  # fmt: skip
    rows = mask_rows(base, state.spec().seed, now.lock, state.problems())
    _mount("mask-knobs", _owner(), rows, _mask_edited)
    if state.spec().strategy.moving:
        st.caption("This mask changes while a model trains; shown is its beginning, progress 0.")
    if not stack.is_open():
        layers.draw(patches)


def _menu_key(name: str) -> str:
    """The menu's key, a new one whenever its value is not the person's own choice.

    A browser that has not heard of a value set here sends its old one with the next press of
    anything, which would count as a choice.
    """
    turn = st.session_state.get("strategy_turn", 0)
    if st.session_state.get(_key(turn), name) != name:
        turn = st.session_state["strategy_turn"] = turn + 1
    st.session_state[_key(turn)] = name
    return _key(turn)


def _key(turn: int) -> str:
    return f"strategy-{turn}" if turn else "strategy"


def _brush_of_a_list() -> bool:
    """Whether a brush is worked on beside other layers: it stays one, strokes and all."""
    return stack.is_open() and is_brush(stack.current().layers[stack.chosen()])


def _owner() -> str:
    """Whose knobs are shown, so that an edit never reaches another layer."""
    at = stack.chosen()
    return f"{at} {stack.current().layers[at].of.name}"


def draw_fill() -> None:
    """Fill menu and its knobs."""
    fill = FILLS.parse(state.spec().fill)
    state.follow("fill", fill.name)
    st.selectbox(
        "Shown in the holes", list(menu("fills")), key="fill", format_func=plain,
        help=menu("fills").get(fill.name), on_change=_fill_chosen,
    )  # fmt: skip
    rows = declared_rows(fill, "fill", state.problems())
    if rows:
        _mount("fill-knobs", fill.name, rows, _fill_edited)
    state.show_problem("fill")


def _mount(key: str, owner: str, rows: list[dict[str, Any]], edited: Any) -> None:
    component("knobs")(
        key=key,
        data={"owner": owner, "knobs": rows, "seq": _edit(key).get("seq", 0)},
        on_edit_change=lambda: edited(key),
    )


def _edit(key: str) -> dict[str, Any]:
    return (st.session_state.get(key) or {}).get("edit") or {}


def _strategy(key: str) -> None:
    """Another strategy; knobs of the same name keep their values where they are allowed."""
    now, at = stack.current(), stack.chosen()
    if _brush_of_a_list():
        return
    old = None if is_brush(now.layers[at]) else now.layers[at].of
    recipe = carried(MASKS, st.session_state[key], old)
    _clear("mask")
    state.attempt("mask", lambda: stack.keep(stack.replaced(now, at, recipe)))


def _fill_chosen() -> None:
    _clear("fill")
    state.change("fill", fill=carried(FILLS, st.session_state["fill"], None))


def _complain(where: str, knob: str, sentence: str) -> None:
    state.complain(f"{where}.{knob}" if knob else where, sentence)


def _mask_edited(key: str) -> None:
    edit, now, at = _edit(key), stack.current(), stack.chosen()
    if edit.get("owner") != _owner():
        return
    values = dict(edit.get("values", {}))
    seed, lock = values.pop("seed", 0), values.pop("lock", None)
    _clear("mask")
    state.attempt("mask.seed", lambda: state.spec().replace(seed=whole_number(seed)))
    recipe = None
    if not is_brush(now.layers[at]):
        of = now.layers[at].of
        recipe = tuned(MASKS, of, values, partial(_complain, "mask"))
        hide, show = painter.edits()
        if recipe is not None and "1" in hide and _asks_for_a_drawn_map(of, values):
            recipe = scenes.with_drawn_map(recipe, hide)
            now = stack.edited(now, "0" * len(hide), show)
            painter.replace_strokes()

    def changed() -> scenes.SceneSpec:
        tuned_one = now if recipe is None else now.changed(at, of=MASKS.parse(recipe))
        return stack.keep(replace(tuned_one, lock=lock))

    state.attempt("mask", changed)


def _asks_for_a_drawn_map(base: Any, values: dict[str, Any]) -> bool:
    """Whether the map has just been changed to a drawn one: what is painted becomes it."""
    score = score_of(base) if hasattr(base, "score_kind") else None
    return score is not None and score.name != "drawn" and values.get("scores") == "drawn"


def _fill_edited(key: str) -> None:
    edit = _edit(key)
    fill = FILLS.parse(state.spec().fill)
    if edit.get("owner") == fill.name:
        _clear("fill")
        recipe = tuned(FILLS, fill, dict(edit.get("values", {})), partial(_complain, "fill"))
        if recipe is not None:
            state.change("fill", fill=recipe)


def _clear(where: str) -> None:
    for name in [name for name in state.problems() if name.split(".")[0] == where]:
        state.problems().pop(name)
