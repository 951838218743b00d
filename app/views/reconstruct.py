"""Hide parts of a photo and see what a trained model makes of the rest."""

from typing import Any
from urllib.parse import urlencode

import streamlit as st

from app import state
from app.components import compute, knobs, painter, photos, results
from app.components.scripts import component
from workbench import scenes
from workbench.errors import BadInput


@st.fragment
def live() -> None:
    """Controls, painter and pictures: one fragment, so that a change reruns nothing else."""
    left, middle, right = st.columns([25, 35, 46], gap="medium")
    try:
        grid = scenes.grid_of(state.spec())
    except BadInput as error:
        state.complain("model", str(error))
        state.attempt("spec", lambda: state.spec().replace(model=scenes.SceneSpec().model))
        grid = scenes.grid_of(state.spec())
    with left, st.container(key="controls"):
        controls(grid.size)
    with middle, st.container(key="painting"):
        seen = preview()
    with right, st.container(key="pictures"):
        results.draw()
        if seen is not None:
            painter.card(seen)
    share()


def controls(patches: int) -> None:
    """Everything that can be set, from what changes the picture most to what changes it least."""
    state.show_problem("link")
    photos.draw()
    knobs.draw_mask(patches)
    state.show_problem("mask")
    knobs.draw_fill()
    compute.draw()


def preview() -> Any:
    """The painter at once; a photo or mask that cannot be shown says why."""
    try:
        seen = scenes.preview(state.spec())
    except BadInput as error:
        st.warning(str(error), icon=":material/visibility_off:")
        return None
    except Exception as error:
        st.error(state.unexpected(error))
        return None
    painter.draw(seen)
    return seen


def share() -> None:
    """Link, code, command and downloads of what is shown."""
    spec = state.spec()
    component("share")(
        key="share",
        data={
            "query": urlencode(spec.to_query()),
            "python": spec.python(),
            "command": spec.command(),
        },
    )


@st.fragment
def leak() -> None:
    """The leak meter, asked for by the browser once a picture stands."""
    data: dict[str, Any] = {"mark": "", "rows": [], "verdict": ""}
    if (st.session_state.get("leak") or {}).get("want"):
        spec = state.spec()
        try:
            data = {"mark": results.mark(spec), **results.leak_rows(scenes.leak(spec))}
        except BadInput as error:
            data["verdict"] = str(error)
        except Exception as error:
            data["verdict"] = state.unexpected(error)
    component("leak")(key="leak", data=data, on_want_change=lambda: None)


live()
leak()
