"""Hide parts of a photo and see what a trained model makes of the rest."""

from typing import Any
from urllib.parse import urlencode

import streamlit as st

from app import state, worker
from app.components import compute, knobs, painter, photos, results
from app.components.scripts import component
from workbench import __version__, scenes
from workbench.errors import BadInput


@st.fragment
def live() -> None:
    """Controls, painter and pictures: one fragment, so that a change reruns nothing else."""
    patches = compute.grid().size
    painter.fit_grid(patches)
    photos.settle()
    with st.container(key="bench"):
        left, middle, right = st.columns([25, 35, 46], gap="medium")
    with left:
        controls(patches)
    with middle, st.container(key="painting"):
        seen = preview()
    with right, st.container(key="pictures"):
        results.draw()
        if seen is not None:
            painter.card(seen)
        leak()
        share()
    footer()


def controls(patches: int) -> None:
    """What to hide comes first on a phone, which photo and which model come last."""
    with st.container(key="photo-controls"):
        state.show_problem("link")
        photos.draw()
    with st.container(key="mask-controls"):
        knobs.draw_mask(patches)
        state.show_problem("mask")
    with st.container(key="more-controls"):
        knobs.draw_fill()
        compute.draw()


def preview() -> Any:
    """The painter at once; a photo or mask that cannot be shown says why."""
    try:
        seen = worker.run(scenes.preview, state.spec())
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
    maps = bool(spec.strategy.needs)
    data = {"python": spec.python(), "command": spec.command(), "maps": maps}
    component("share")(key="share", data={"query": urlencode(spec.to_query()), **data})


def footer() -> None:
    """What ran where."""
    scene = st.session_state.get("scene")
    machine = "" if scene is None else f"{scene['machine']} · "
    st.caption(f"Mask workbench {__version__} · {machine}everything stays on this machine")


@st.fragment
def leak() -> None:
    """The leak meter: measured when the browser asks, which it does once a picture stands."""
    spec = state.spec()
    wanted = (st.session_state.get("leak") or {}).get("want")
    known: dict[str, Any] = st.session_state.setdefault("leak_data", {"mark": ""})
    if wanted == results.mark(spec) != known["mark"]:
        known = st.session_state["leak_data"] = measured(spec)
    component("leak")(key="leak", data=known, on_want_change=lambda: None)


def measured(spec: scenes.SceneSpec) -> dict[str, Any]:
    """The leak meter's rows, or the sentence why there are none."""
    data: dict[str, Any] = {"mark": results.mark(spec), "rows": [], "verdict": ""}
    try:
        return {**data, **results.leak_rows(worker.run(scenes.leak, spec))}
    except BadInput as error:
        return {**data, "verdict": str(error)}
    except Exception as error:
        return {**data, "verdict": state.unexpected(error)}


live()
