"""Choose or upload a photo, and how it is cut to the model's size."""

from urllib.parse import parse_qsl, urlencode

import streamlit as st

from app import state
from app.components import painter
from app.components.scripts import component
from workbench.data import uploads
from workbench.data.samples import photos
from workbench.errors import BadInput
from workbench.scenes import SceneSpec
from workbench.scenes.photos import forget, source

KEY = "photos"
FITS = {"crop": "Crop", "letterbox": "Letterbox", "resize": "Resize"}
DRAWN = 3


def settle() -> None:
    """Let a photo that is not here, an upload of long ago say, give way to the first one."""
    try:
        source(state.spec().photo)
    except BadInput as error:
        state.change("photo", photo=SceneSpec().photo)
        state.complain("photo", str(error))


def draw() -> None:
    """The picker with its upload button, and the fit."""
    spec = state.spec()
    component("photos")(
        key=KEY,
        data={
            "chosen": spec.photo,
            "removable": uploads.is_upload(spec.photo),
            "problem": state.problems().get("photo"),
            "photos": _listed(spec.photo),
            "done": st.session_state.get("photos_done", 0),
        },
        on_presses_change=_pressed,
    )
    state.follow("fit", spec.fit)
    st.segmented_control(
        "Fit to the model's size", list(FITS), format_func=FITS.__getitem__, key="fit",
        required=True, on_change=_fitted, width="stretch",
    )  # fmt: skip


def _listed(chosen: str) -> list[dict[str, str]]:
    """This page's own uploads first, then what everybody has."""
    mine: list[str] = st.session_state.setdefault("uploads", [])
    if uploads.is_upload(chosen) and chosen not in mine:
        mine.append(chosen)
    named = [(name, "Your upload") for name in mine]
    named += [(info.name, info.title) for info in photos()]
    named += [(f"drawn-{seed}", f"Drawn scene {seed}") for seed in range(DRAWN)]
    return [
        {
            "name": name,
            "title": title,
            "thumbnail": f"/api/thumbnail?{urlencode({'photo': name})}",
        }
        for name, title in named
    ]


def _pressed() -> None:
    """Presses in the list that were not heard of before, in their order."""
    told = (st.session_state.get(KEY) or {}).get("presses") or {}
    acts = {"photo": _chosen, "upload": _uploaded, "remove": _removed}
    for press in told.get("list", ()):
        if press["turn"] > st.session_state.get("photos_done", 0):
            st.session_state["photos_done"] = press["turn"]
            acts[press["event"]](press["value"])


def _chosen(name: str) -> None:
    state.change("photo", photo=name)


def _uploaded(view: str) -> None:
    """The upload is stored already; the query names it, or is the view of a saved picture."""
    query = dict(parse_qsl(view))
    if set(query) == {"photo"}:
        state.change("photo", photo=query["photo"])
    elif query and state.attempt("photo", lambda: SceneSpec.from_query(query)):
        painter.replace_strokes()


def _fitted() -> None:
    state.change("photo", fit=st.session_state["fit"])


def _removed(name: str) -> None:
    if name != state.spec().photo or not uploads.is_upload(name):
        return
    uploads.delete(name)
    forget()
    st.session_state["uploads"].remove(name)
    state.change("photo", photo=SceneSpec().photo)
