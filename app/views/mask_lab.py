"""Measure what a strategy hides over thousands of draws, and compare strategies on one photo."""

import streamlit as st

from app import state
from app.components import compute, lab, lab_leak, photos

SECTION = "Masks"


@st.fragment
def live() -> None:
    """Controls, measures and pictures: one fragment, so that a change reruns nothing else."""
    compute.grid()
    photos.settle()
    lab.current()
    with st.container(key="bench"):
        left, right = st.columns([25, 81], gap="medium")
    with left:
        controls()
    with right, st.container(key="pictures"):
        lab.measures()
        lab.rows()
        lab.share()
        leak()


def controls() -> None:
    """The photo, the policies' knobs, the model."""
    with st.container(key="photo-controls"):
        state.show_problem("link")
        photos.draw()
    with st.container(key="mask-controls"):
        lab.controls()
    with st.container(key="more-controls"):
        compute.draw()


@st.fragment
def leak() -> None:
    """A fragment of its own: a photo that is measured reruns nothing else."""
    lab_leak.draw(lab.current())


live()
