"""Weights of a classifier hidden: which ones, and what the rest is still worth."""

import streamlit as st

from app.components import merging, weights

SECTION = "Inside a network"


@st.fragment
def live() -> None:
    """Controls beside the pictures: one fragment, so that a change reruns nothing else."""
    with st.container(key="bench"):
        left, right = st.columns([25, 81], gap="medium")
    with left, st.container(key="mask-controls"):
        weights.choose()
        weights.ways()
    with right, st.container(key="pictures"):
        st.markdown("##### Which weights are hidden")
        weights.draw()
        st.markdown("##### What the rest is worth")
        weights.curve()
        st.markdown("##### Merged with another network")
        merging.merge()
        st.markdown("##### What a pair shares")
        merging.gates()
        weights.share(merging.current().to_query(), merging.commands())


live()
