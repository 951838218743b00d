"""What every head of a network looks at, and what changes when parts of it are switched off."""

import streamlit as st

from app import state
from app.components import inside, knobs, photos

SECTION = "Inside a network"


@st.fragment
def live() -> None:
    """Controls beside the maps: one fragment, so that a change reruns nothing else."""
    photos.settle()
    count = inside.patches()
    with st.container(key="bench"):
        left, right = st.columns([25, 81], gap="medium")
    with left:
        controls(count)
    with right, st.container(key="pictures"):
        waiting = st.empty()
        if "inside_last" not in st.session_state:
            waiting.caption("The network is being loaded, once.")
        inside.draw()
        waiting.empty()
        inside.share()


def controls(count: int) -> None:
    """The photo, the network, and what is hidden from it."""
    with st.container(key="photo-controls"):
        state.show_problem("link")
        photos.draw()
    with st.container(key="mask-controls"):  # on a phone these come first
        inside.choose()
        if inside.masking() and count:
            knobs.draw_mask(count)
            state.show_problem("mask")


live()
