"""Which model, on which device, in which precision."""

from typing import get_args

import streamlit as st

from app import state
from workbench import scenes
from workbench.errors import BadInput
from workbench.masks import Grid
from workbench.models import list_models
from workbench.scenes.spec import Device, Precision


def grid() -> Grid:
    """The grid of the scene's model; a model that is not there gives way to the default one."""
    try:
        return scenes.grid_of(state.spec())
    except BadInput as error:
        state.attempt("model", lambda: state.spec().replace(model=scenes.SceneSpec().model))
        state.complain("model", str(error))
        return scenes.grid_of(state.spec())


def draw() -> None:
    """Three menus, folded away; what is used stands in the caption under the pictures."""
    spec = state.spec()
    labels = {info.name: info.label for info in list_models()}
    names = list(labels)
    if spec.model not in names:
        names.append(spec.model)
    with st.expander("Model and computing", expanded="model" in state.problems()):
        for field, label, choices in (
            ("model", "Model", names),
            ("device", "Device", list(get_args(Device))),
            ("precision", "Precision", list(get_args(Precision))),
        ):
            state.follow(field, getattr(spec, field))
            st.selectbox(
                label, choices, key=field, on_change=_chosen, args=(field,),
                format_func=lambda name: labels.get(name, name),
            )  # fmt: skip
        state.show_problem("model")


def _chosen(field: str) -> None:
    state.change("model", **{field: st.session_state[field]})
