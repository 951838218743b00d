"""What an answer rests on: maps of many methods on one scale, judged by removing what they name."""

import streamlit as st

from app import state
from app.components import attribution, photos

SECTION = "Inside a network"


@st.fragment
def live() -> None:
    """Controls beside the maps: one fragment, so that a change reruns nothing else."""
    photos.settle()
    attribution.current()
    with st.container(key="bench"):
        left, right = st.columns([25, 81], gap="medium")
    with left:
        controls()
    with right, st.container(key="pictures"):
        attribution.draw()
        attribution.share()


def controls() -> None:
    """The photo, the network and its class, the methods, and how they are judged."""
    with st.container(key="photo-controls"):
        state.show_problem("link")
        photos.draw()
    with st.container(key="mask-controls"):  # on a phone these come first
        attribution.choose_networks()
        found = attribution.offers()
        if found is not None:
            attribution.choose_target(found)
            attribution.choose_methods(found)
            attribution.choose_judging(found)


live()
