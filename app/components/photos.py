"""Choose or upload a photo, and how it is cut to the model's size."""

from urllib.parse import urlencode

import streamlit as st

from app import state
from app.components import painter
from app.components.scripts import component
from app.settings import UPLOAD_LIMIT_MB
from workbench import scenes
from workbench.data import uploads
from workbench.data.samples import photos
from workbench.errors import BadInput
from workbench.scenes.photos import forget

# Wider than what can be opened, so that a wrong file meets our sentence, not the browser's silence.
_ENDINGS = ["png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff", "avif", "heic"]
FITS = {"crop": "Crop", "letterbox": "Letterbox", "resize": "Resize"}


def draw() -> None:
    """The picker, the upload field and the fit."""
    spec = state.spec()
    mine: list[str] = st.session_state.setdefault("uploads", [])
    if uploads.is_upload(spec.photo) and spec.photo not in mine:
        mine.append(spec.photo)
    listed = [(name, "Your upload") for name in mine]
    listed += [(info.name, info.title) for info in photos()] + _drawn()
    component("photos")(
        key="photos",
        data={
            "chosen": spec.photo,
            "title": dict(listed).get(spec.photo, spec.photo),
            "photos": [
                {"name": name, "title": title, "thumbnail": _thumbnail(name)}
                for name, title in listed
            ],
        },
        on_photo_change=_chosen,
    )
    _upload()
    if uploads.is_upload(spec.photo):
        st.button("Delete this upload", icon=":material/delete:", on_click=_delete, width="stretch")
    state.follow("fit", spec.fit)
    st.segmented_control(
        "Fit to the model's size", list(FITS), format_func=FITS.__getitem__, key="fit",
        required=True, on_change=_fitted, width="stretch",
    )  # fmt: skip
    state.show_problem("photo")


def _drawn() -> list[tuple[str, str]]:
    return [(f"drawn-{seed}", f"Drawn scene {seed}") for seed in range(3)]


def _thumbnail(name: str) -> str:
    return f"/api/thumbnail?{urlencode({'photo': name})}"


def _upload() -> None:
    turn = st.session_state.setdefault("upload_turn", 0)
    key = f"upload-{turn}"
    st.file_uploader(
        "Upload a photo, or a picture saved here",
        type=_ENDINGS, key=key, on_change=_uploaded, args=(key,), label_visibility="collapsed",
        help=f"PNG, JPEG or WebP up to {UPLOAD_LIMIT_MB} MB; it stays on this machine.",
    )  # fmt: skip
    state.show_problem("upload")
    if "upload_note" in st.session_state:
        st.info(st.session_state.pop("upload_note"), icon=":material/info:")


def _uploaded(key: str) -> None:
    file = st.session_state.get(key)
    if file is None:
        return
    content = file.getvalue()
    st.session_state["upload_turn"] += 1  # a fresh field: the file is not kept twice
    try:
        restored = scenes.restore(content)
        if restored is not None:
            st.session_state["spec"] = restored.spec
            painter.replace_strokes()
            st.session_state["upload_note"] = " ".join(("The view is restored.", *restored.notes))
        else:
            _store(content)
    except BadInput as error:
        state.complain("upload", str(error))
        return
    state.settle("upload")
    state.settle("photo")


def _store(content: bytes) -> None:
    name = uploads.store(content)
    notes = uploads.notes(name)
    if notes:
        st.session_state["upload_note"] = " ".join(notes)
    state.change("upload", photo=name)


def _chosen() -> None:
    chosen = st.session_state["photos"].get("photo")
    if chosen:
        state.change("photo", photo=chosen["name"])


def _fitted() -> None:
    state.change("photo", fit=st.session_state["fit"])


def _delete() -> None:
    name = state.spec().photo
    uploads.delete(name)
    forget()
    st.session_state["uploads"].remove(name)
    state.change("photo", photo=scenes.SceneSpec().photo)
