"""The painter on the photo, and the card of the mask it makes."""

from typing import Any
from urllib.parse import urlencode

import streamlit as st

from app import payloads, stack, state
from app.components.scripts import component
from workbench import scenes
from workbench.scenes import Preview
from workbench.scenes.stack import below_brush, fit_patches, hand_bits

KEY = "painter"


def fit_grid(patches: int) -> None:
    """Drop hand edits that name patches beyond the grid, as those of a link or another model may.

    The painter keeps its strokes and sends them again as patches of the new grid.
    """
    fitting, sentence = fit_patches(stack.current(), patches)
    if sentence:
        state.attempt("paint", lambda: stack.keep(fitting))
        state.complain("paint", sentence)


def draw(seen: Preview) -> None:
    """Show the photo with its mask; every finished stroke becomes the scene's recipe."""
    patches = seen.grid.size
    layers, at, edit = stack.current(), stack.target(), _edit()
    hide, show = hand_bits(layers, at, patches)
    component("painter")(
        key=KEY,
        data={
            "photo": "/api/picture?" + urlencode(_picture(seen)),
            "grid": [seen.grid.rows, seen.grid.cols],
            "base": payloads.base_bits(seen, below_brush(layers, at)),
            "hide": hide,
            "show": show,
            "hidden": seen.bits,
            "threshold": edit.get("threshold", 0.5),
            "strokes": edit.get("strokes", []),
            "seq": max(edit.get("seq", 0), st.session_state.get("painter_seq", 0)),
            "label": f"{seen.spec.photo}, {seen.card.hidden} of {seen.card.total} patches hidden",
        },
        on_edit_change=lambda: _edited(patches),
    )
    state.show_problem("paint")


def _picture(seen: Preview) -> dict[str, str]:
    query = seen.spec.to_query()
    kept = {name: query[name] for name in ("fit", "model") if name in query}
    return {"photo": seen.spec.photo, **kept}


def _edit() -> dict[str, Any]:
    return (st.session_state.get(KEY) or {}).get("edit") or {}


def _edited(patches: int) -> None:
    edit = _edit()
    hide, show = str(edit.get("hide", "")), str(edit.get("show", ""))
    if len(hide) != patches or len(show) != patches:
        return  # painted on another model's grid; the painter sends it again on this one
    if edit.get("seq", 0) <= st.session_state.get("painter_seq", 0):
        return  # painted on the layer that was worked on before
    state.attempt("paint", lambda: stack.keep(stack.edited(stack.current(), hide, show)))


def edits() -> tuple[str, str]:
    """What is painted on the layer that the brush paints on, as bits (hidden, shown)."""
    patches = scenes.grid_of(state.spec()).size
    return hand_bits(stack.current(), stack.target(), patches)


def replace_strokes() -> None:
    """Make the painter take over the scene's hand edits, which did not come from it."""
    st.session_state["painter_seq"] = _edit().get("seq", 0) + 1


def card(seen: Preview) -> None:
    """Show the mask's numbers."""
    st.html(payloads.card(seen))
