"""The strategy and the fill, with controls made from their declared knobs."""

import dataclasses
from functools import partial
from typing import Any

import streamlit as st

from app import state
from app.components import painter
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


def draw_mask(patches: int) -> None:
    """Strategy menu, its knobs, the seed and the exact-ratio lock."""
    paint = scenes.split_paint(state.spec(), patches)
    base = MASKS.parse(paint.base) if paint.base else None
    name = PAINT_ONLY if base is None else base.name
    state.follow("strategy", name)
    st.selectbox(
        "Mask strategy", list(menu("masks")), key="strategy", format_func=strategy_label,
        help=menu("masks").get(name), on_change=_strategy, args=(patches,),
    )  # fmt: skip
    rows = mask_rows(base, state.spec().seed, paint.lock, state.problems())
    _mount("mask-knobs", name, rows, _mask_edited, patches)
    if base is not None and base.moving:
        st.caption("This mask changes while a model trains; shown is its beginning, progress 0.")


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
        _mount("fill-knobs", fill.name, rows, _fill_edited, 0)
    state.show_problem("fill")


def _mount(key: str, owner: str, rows: list[dict[str, Any]], edited: Any, patches: int) -> None:
    component("knobs")(
        key=key,
        data={"owner": owner, "knobs": rows, "seq": _edit(key).get("seq", 0)},
        on_edit_change=lambda: edited(key, patches),
    )


def _edit(key: str) -> dict[str, Any]:
    return (st.session_state.get(key) or {}).get("edit") or {}


def _strategy(patches: int) -> None:
    """Another strategy; knobs of the same name keep their values where they are allowed."""
    name = st.session_state["strategy"]
    paint = scenes.split_paint(state.spec(), patches)
    recipe = carried(MASKS, name, MASKS.parse(paint.base) if paint.base else None)
    _clear("mask")

    def changed() -> scenes.SceneSpec:
        spec = scenes.with_strategy(state.spec(), recipe)
        return scenes.with_paint(spec, paint.hide, paint.show, paint.lock)

    state.attempt("mask", changed)


def _fill_chosen() -> None:
    _clear("fill")
    state.change("fill", fill=carried(FILLS, st.session_state["fill"], None))


def _complain(where: str, knob: str, sentence: str) -> None:
    state.complain(f"{where}.{knob}" if knob else where, sentence)


def _mask_edited(key: str, patches: int) -> None:
    edit = _edit(key)
    paint = scenes.split_paint(state.spec(), patches)
    base = MASKS.parse(paint.base) if paint.base else None
    name = PAINT_ONLY if base is None else base.name
    if edit.get("owner") != name:
        return
    values = dict(edit.get("values", {}))
    seed, lock = values.pop("seed", 0), values.pop("lock", None)
    _clear("mask")
    state.attempt("mask.seed", lambda: state.spec().replace(seed=whole_number(seed)))
    complain = partial(_complain, "mask")
    recipe = tuned(MASKS, base, values, complain) if base is not None else None
    brushed = recipe is not None and "1" in paint.hide and _asks_for_a_drawn_map(base, values)
    if recipe is not None and brushed:
        recipe = scenes.with_drawn_map(recipe, paint.hide)
        paint = dataclasses.replace(paint, hide="0" * patches)
        painter.replace_strokes()

    def changed() -> scenes.SceneSpec:
        spec = state.spec() if recipe is None else scenes.with_strategy(state.spec(), recipe)
        return scenes.with_paint(spec, paint.hide, paint.show, lock)

    state.attempt("mask", changed)


def _asks_for_a_drawn_map(base: Any, values: dict[str, Any]) -> bool:
    """Whether the map has just been changed to a drawn one: what is painted becomes it."""
    score = score_of(base) if hasattr(base, "score_kind") else None
    return score is not None and score.name != "drawn" and values.get("scores") == "drawn"


def _fill_edited(key: str, patches: int) -> None:
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
