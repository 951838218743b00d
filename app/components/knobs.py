"""The strategy and the fill, with controls made from their declared knobs."""

from functools import cache
from typing import Any

import streamlit as st

from app import state
from app.components.scripts import component
from workbench import scenes
from workbench.errors import BadInput
from workbench.fills import FILLS
from workbench.masks import MASKS
from workbench.params import KnobSpec, knobs

PAINT_ONLY = "painted"


@cache
def _menu(kind: str) -> dict[str, str]:
    """Names and their one-line summaries; what needs a score map is not offered on this page."""
    rows = (MASKS if kind == "masks" else FILLS).describe()
    return {row["name"]: row["summary"] for row in rows if not row.get("needs_maps")}


def draw_mask(patches: int) -> None:
    """Strategy menu, its knobs, the seed and the exact-ratio lock."""
    paint = scenes.split_paint(state.spec(), patches)
    base = MASKS.parse(paint.base) if paint.base else None
    name = PAINT_ONLY if base is None else base.name
    state.follow("strategy", name)
    st.selectbox(
        "Mask strategy", list(_menu("masks")), key="strategy", format_func=_strategy_label,
        help=_menu("masks").get(name), on_change=_strategy, args=(patches,),
    )  # fmt: skip
    rows = [] if base is None else _rows(base, "mask")
    rows.append(_row("seed", "Seed", "seed", state.spec().seed, 0, None, 1))
    lock_row = _row("lock", "Lock the ratio", "lock", paint.lock, 0.0, 1.0, 0.01)
    lock_row["start"] = getattr(base, "ratio", 0.75)
    lock_row["help"] = "Fills or thins at random to an exact ratio; painted patches go last."
    rows.append(lock_row)
    _mount("mask-knobs", name, rows, _mask_edited, patches)


def draw_fill() -> None:
    """Fill menu and its knobs."""
    fill = FILLS.parse(state.spec().fill)
    state.follow("fill", fill.name)
    st.selectbox(
        "Shown in the holes", list(_menu("fills")), key="fill", format_func=_plain,
        help=_menu("fills").get(fill.name), on_change=_fill_chosen,
    )  # fmt: skip
    rows = _rows(fill, "fill")
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


def _rows(recipe: Any, where: str) -> list[dict[str, Any]]:
    return [_declared(spec, getattr(recipe, spec.name), where) for spec in knobs(type(recipe))]


def _declared(spec: KnobSpec, value: Any, where: str) -> dict[str, Any]:
    high = spec.maximum if spec.soft_maximum is None else spec.soft_maximum
    low = spec.minimum
    step = spec.step or (1 if spec.kind == "int" else None)
    if step is None and low is not None and high is not None:
        step = (high - low) / 100
    shown = value if spec.kind != "recipe" or value is None else str(value)
    row = _row(spec.name, _plain(spec.name), spec.kind, shown, low, high, step)
    problem = state.problems().get(f"{where}.{spec.name}")
    return {
        **row, "help": spec.help, "optional": spec.optional, "problem": problem,
        "choices": list(spec.choices or ()),
    }  # fmt: skip


def _row(
    name: str, label: str, kind: str, value: Any, low: float | None, high: float | None, step: Any
) -> dict[str, Any]:
    return {
        "name": name, "label": label, "kind": kind, "value": value, "low": low, "high": high,
        "step": step, "help": "", "optional": False, "choices": [],
        "problem": state.problems().get(f"mask.{name}"),
    }  # fmt: skip


def _plain(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _strategy_label(name: str) -> str:
    return "By hand only" if name == PAINT_ONLY else _plain(name)


def _strategy(patches: int) -> None:
    """Another strategy; knobs of the same name keep their values where they are allowed."""
    name = st.session_state["strategy"]
    paint = scenes.split_paint(state.spec(), patches)
    old = MASKS.parse(paint.base) if paint.base else None
    kept = {spec.name: getattr(old, spec.name) for spec in knobs(type(old))} if old else {}
    recipe = _recipe(MASKS, name, kept)
    _clear("mask")

    def changed() -> scenes.SceneSpec:
        spec = scenes.with_strategy(state.spec(), recipe)
        return scenes.with_paint(spec, paint.hide, paint.show, paint.lock)

    state.attempt("mask", changed)


def _fill_chosen() -> None:
    _clear("fill")
    state.change("fill", fill=_recipe(FILLS, st.session_state["fill"], {}))


def _recipe(registry: Any, name: str, kept: dict[str, Any]) -> str:
    member = registry.get(name)
    own = {spec.name for spec in knobs(member)}
    try:
        return str(member(**{key: value for key, value in kept.items() if key in own}))
    except BadInput:
        return str(member())


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
    state.attempt("mask.seed", lambda: state.spec().replace(seed=_whole(seed)))
    recipe = _tuned(MASKS, base, values, "mask") if base is not None else None

    def changed() -> scenes.SceneSpec:
        spec = state.spec() if recipe is None else scenes.with_strategy(state.spec(), recipe)
        return scenes.with_paint(spec, paint.hide, paint.show, lock)

    state.attempt("mask", changed)


def _fill_edited(key: str, patches: int) -> None:
    edit = _edit(key)
    fill = FILLS.parse(state.spec().fill)
    if edit.get("owner") == fill.name:
        _clear("fill")
        recipe = _tuned(FILLS, fill, dict(edit.get("values", {})), "fill")
        if recipe is not None:
            state.change("fill", fill=recipe)


def _tuned(registry: Any, recipe: Any, values: dict[str, Any], where: str) -> str | None:
    """The recipe with every value that is allowed; a refused one is noted beside its knob."""
    member, accepted = type(recipe), {}
    for spec in knobs(member):
        value = values.get(spec.name, getattr(recipe, spec.name))
        try:
            if spec.kind == "recipe" and isinstance(value, str):
                value = registry.parse(value)
            member(**{**accepted, spec.name: value})
        except BadInput as error:
            state.complain(f"{where}.{spec.name}", str(error))
            value = getattr(recipe, spec.name)
        accepted[spec.name] = value
    try:
        return str(member(**accepted))
    except BadInput as error:
        state.complain(where, str(error))
        return None


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _clear(where: str) -> None:
    for name in [name for name in state.problems() if name.split(".")[0] == where]:
        state.problems().pop(name)
