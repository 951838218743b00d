"""The form of a new run: menus and knobs that edit one frozen `RunConfig`."""

from functools import partial
from typing import Any

import streamlit as st

from app import engine_form, state, train_form
from app.components.scripts import component
from workbench.errors import BadInput
from workbench.runs.config import RunConfig

KEY = "new-run"
ENGINE = "new-run-engine"
MENUS = {
    "preset": train_form.preset_menu,
    "objective": train_form.objective_menu,
    "mask": train_form.mask_menu,
    "data": train_form.data_menu,
}


def current() -> RunConfig:
    """The run of this page; the first call of a session reads it from the address."""
    if KEY not in st.session_state:
        fields = st.query_params.to_dict()
        st.session_state[ENGINE], refused = engine_form.linked(fields.pop("engine", ""))
        found, wrong = train_form.linked(fields)
        wrong += [refused] if refused else []
        st.session_state[KEY] = found
        if wrong:
            state.complain("train", " ".join(wrong))
    return st.session_state[KEY]


def engine() -> str:
    """Who is to run it, a recipe; empty for this machine."""
    current()
    return st.session_state[ENGINE]


def menu(name: str) -> None:
    """One of the menus."""
    _menu(name, MENUS[name](current()))


def engines() -> None:
    """Where it runs, with the knobs of an engine; nothing where there is no choice."""
    data = engine_form.engine_menu(engine())
    if data is not None:
        _menu("engine", data)
        rows = engine_form.engine_rows(engine(), _problems("engine"))
        if rows:
            owner = f"engine {engine().partition('(')[0]}"
            with st.expander("Knobs of the engine"):
                _mount("knobs-engine", owner, rows, _engine_edited)


def _menu(name: str, data: dict[str, Any]) -> None:
    key = f"menu-{name}"
    problem = state.problems().get(f"train.{name}", "") or data.get("problem", "")
    data |= {"seq": _edit(key).get("seq", 0), "sender": key, "problem": problem}
    component("menu")(key=key, data=data, on_edit_change=partial(_chosen, name, key))


def recipe_knobs(field: str) -> None:
    """The knobs of one of the three recipes."""
    problems = _problems(field)
    if field == "data":
        problems.setdefault("data.path", missing())
    rows = train_form.recipe_rows(current(), field, problems)
    if rows:
        owner = f"{field} {getattr(current(), field).partition('(')[0]}"
        _mount(f"knobs-{field}", owner, rows, partial(_recipe_edited, field))


def run_knobs(main: bool) -> None:
    """The knobs of the run itself."""
    rows = train_form.run_rows(current(), _problems("run"), main)
    _mount("knobs-run" if main else "knobs-more", "run", rows, _run_edited)


def _problems(field: str) -> dict[str, str]:
    start = "train."
    return {
        key.removeprefix(start): each
        for key, each in state.problems().items()
        if key.startswith(f"{start}{field}")
    }


def _mount(key: str, owner: str, rows: list[dict[str, Any]], edited: Any) -> None:
    data = {"owner": owner, "knobs": rows, "seq": _edit(key).get("seq", 0), "sender": key}
    component("knobs")(key=key, data=data, on_edit_change=partial(edited, key, owner))


def missing() -> str:
    """Why the data cannot be read; nothing for an engine, which may see other folders."""
    return "" if engine() else train_form.data_missing(current())


def answered() -> dict[str, int]:
    """The newest edit of every menu and group of knobs that the run of this page holds."""
    keys = [str(key) for key in st.session_state if str(key).startswith(("menu-", "knobs-"))]
    return {key: _edit(key).get("seq", 0) for key in keys}


def refused() -> bool:
    """Whether the form tells that something cannot be taken."""
    return any(key.startswith("train.") for key in state.problems())


def _edit(key: str) -> dict[str, Any]:
    return (st.session_state.get(key) or {}).get("edit") or {}


def _clear(field: str) -> None:
    for name in [name for name in state.problems() if name.startswith(f"train.{field}")]:
        state.problems().pop(name)
    state.problems().pop("train", None)


def _chosen(name: str, key: str) -> None:
    _clear(name)
    try:
        if name == "engine":
            st.session_state[ENGINE] = engine_form.chosen(str(_edit(key).get("value")))
            return
        st.session_state[KEY] = train_form.chosen(current(), name, str(_edit(key).get("value")))
    except BadInput as error:
        state.complain(f"train.{name}", str(error))


def _recipe_edited(field: str, key: str, owner: str) -> None:
    edit = _edit(key)
    if edit.get("owner") == owner:
        _clear(field)
        told = partial(_complain, field)
        st.session_state[KEY] = train_form.recipe_edited(current(), field, edit["values"], told)


def _engine_edited(key: str, owner: str) -> None:
    edit = _edit(key)
    if edit.get("owner") == owner and engine():
        _clear("engine")
        told = partial(_complain, "engine")
        st.session_state[ENGINE] = engine_form.edited(engine(), edit["values"], told)


def _run_edited(key: str, owner: str) -> None:
    edit = _edit(key)
    if edit.get("owner") == owner:
        _clear("run")
        told = partial(_complain, "run")
        st.session_state[KEY] = train_form.run_edited(current(), edit["values"], told)


def _complain(field: str, knob: str, sentence: str) -> None:
    state.complain(f"train.{field}.{knob}" if knob else f"train.{field}", sentence)
