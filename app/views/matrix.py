"""Strategies against ratios on one photo, error against ratio, and the spread over seeds."""

from urllib.parse import urlencode

import streamlit as st

from app import state
from app.components import compute, knobs, matrix, painter, photos
from app.components.scripts import component

SECTION = "Masks"


@st.fragment
def live() -> None:
    """Controls beside the pictures: one fragment, so that a change reruns nothing else."""
    patches = compute.grid().size
    painter.fit_grid(patches)
    photos.settle()
    with st.container(key="bench"):
        left, right = st.columns([25, 81], gap="medium")
    with left:
        controls(patches)
    with right, st.container(key="pictures"):
        matrix.choose()
        matrix.draw()
        share()


def controls(patches: int) -> None:
    """The photo, what is compared, and the model."""
    with st.container(key="photo-controls"):
        state.show_problem("link")
        photos.draw()
    with st.container(key="mask-controls"):
        if matrix.current().look == "spread":
            knobs.draw_mask(patches)
            state.show_problem("mask")
        matrix.controls()
    with st.container(key="more-controls"):
        compute.draw()


def share() -> None:
    """The link of this view, and the same in Python and as a command."""
    query = urlencode({**state.spec().to_query(), **matrix.current().to_query()})
    data = {"query": query, "python": matrix.python(), "command": matrix.command()}
    component("link")(key="link", data=data)


live()
