"""Which model, on which device, in which precision."""

from typing import get_args

import streamlit as st

from app import state
from workbench.models import list_models
from workbench.scenes.spec import Device, Precision


def draw() -> None:
    """Three menus, folded away; what is used stands in the caption under the pictures."""
    spec = state.spec()
    names = [info.name for info in list_models()]
    if spec.model not in names:
        names.append(spec.model)
    with st.expander("Model and computing", expanded="model" in state.problems()):
        for field, label, choices in (
            ("model", "Model", names),
            ("device", "Device", list(get_args(Device))),
            ("precision", "Precision", list(get_args(Precision))),
        ):
            state.follow(field, getattr(spec, field))
            st.selectbox(label, choices, key=field, on_change=_chosen, args=(field,))
        state.show_problem("model")


def _chosen(field: str) -> None:
    state.change("model", **{field: st.session_state[field]})
