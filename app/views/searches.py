"""Search for the mask that hurts most, or for the fewest patches that still show the picture."""

from urllib.parse import urlencode

import streamlit as st

from app import state
from app.components import compute, photos, searching
from app.components.scripts import component

SECTION = "Masks"


@st.fragment
def live() -> None:
    """Settings beside the search: one fragment, so that a change reruns nothing else."""
    compute.grid()
    photos.settle()
    with st.container(key="bench"):
        left, right = st.columns([25, 81], gap="medium")
    with left:
        controls()
    with right, st.container(key="pictures"):
        searching.draw()
        share()


def controls() -> None:
    """The photo, the search and its settings, the model."""
    with st.container(key="photo-controls"):
        state.show_problem("link")
        photos.draw()
    with st.container(key="mask-controls"):
        searching.controls()
    with st.container(key="more-controls"):
        compute.draw()


def share() -> None:
    """The link of this view, and the same in Python and as a command."""
    query = urlencode({**state.spec().to_query(), "search": str(searching.current())})
    data = {"query": query, "python": searching.python(), "command": searching.command()}
    component("link")(key="link", data=data)


live()
