"""The pictures, the error map and the numbers of one scene."""

from typing import Any

import streamlit as st

from app import state, worker
from app.components.scripts import component
from app.payloads import leak_rows, mark, payload
from app.sentences import whole
from app.warm import warmer
from workbench import scenes
from workbench.errors import BadInput
from workbench.scenes import SceneSpec

__all__ = ["composed", "draw", "leak_rows", "mark"]

LOADING = "The model is being loaded, once; painting works already."


def draw() -> None:
    """Make the scene and show it; a scene that cannot be made leaves the last one standing."""
    data: dict[str, Any] = {"asked": _asked(), "scene": st.session_state.get("scene")}
    if warmer.busy:
        component("results")(key="results", data={**data, "loading": LOADING}, on_ask_change=_ask)
        return
    try:
        data["scene"] = st.session_state["scene"] = worker.run(composed, state.spec())
    except BadInput as error:
        data["problem"] = _sentence(str(error))
    except Exception as error:
        data["problem"] = state.unexpected(error)
    component("results")(key="results", data=data, on_ask_change=_ask)


def composed(spec: SceneSpec) -> dict[str, Any]:
    """Make a scene, as the browser needs it."""
    return payload(scenes.compose(spec))


def _sentence(text: str) -> str:
    last = " The last picture stays." if "scene" in st.session_state else ""
    return whole(text) + last


def _asked() -> int:
    return st.session_state.get("asked", 0)


def _ask() -> None:
    st.session_state["asked"] = _asked() + 1
