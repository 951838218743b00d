"""What a classifier says when parts are painted over, and when they are missing inside it."""

from pathlib import Path

import streamlit as st

from app import state
from app.components import knobs, layer_masking, photos

SECTION = "Inside a network"

HERE = Path(__file__)
PICTURE = HERE.parents[2] / "benchmarks" / "results" / "missingness.svg"


@st.fragment
def live() -> None:
    """Controls beside the answers: one fragment, so that a change reruns nothing else."""
    photos.settle()
    count = layer_masking.patches()
    with st.container(key="bench"):
        left, right = st.columns([25, 81], gap="medium")
    with left:
        with st.container(key="photo-controls"):
            state.show_problem("link")
            photos.draw()
        controls = st.container(key="mask-controls")  # on a phone these come first
        with controls:
            layer_masking.choose()
    with right, st.container(key="pictures"):
        waiting = st.empty()
        if "layer_last" not in st.session_state:
            waiting.caption("The network is being loaded, once.")
        layer_masking.draw()
        waiting.empty()
        st.markdown("##### As more is hidden")
        layer_masking.curves()
        st.markdown("##### Does the hole tell?")
        layer_masking.leak()
        layer_masking.share()
        measured()
    with controls:
        layer_masking.dials()
        if count:
            knobs.draw_mask(count)
            state.show_problem("mask")


def measured() -> None:
    """What the project itself measured, from the text beside this file."""
    text = HERE.with_suffix(".md")
    if not text.is_file():
        return
    with st.expander("What we measured on CIFAR-10"):
        st.markdown(text.read_text(encoding="utf-8"))
        if PICTURE.is_file():
            st.image(PICTURE.read_text(encoding="utf-8"), width=760)


live()
