"""What single features of a network stand for: on pictures, on your photo, and under a mask."""

import streamlit as st

from app import state
from app.components import feature_parts, features, knobs, photos

SECTION = "Inside a network"


@st.fragment
def live() -> None:
    """Controls beside the features: one fragment, so that a change reruns nothing else."""
    photos.settle()
    depth, patches = features.blocks()
    with st.container(key="bench"):
        left, right = st.columns([25, 81], gap="medium")
    with left:
        controls(depth, patches)
    with right, st.container(key="pictures"):
        features.learn(depth)
        features.draw()
        st.markdown("##### Heads that see what the mask hides")
        feature_parts.heads(depth)
        st.markdown("##### Facets of one unit")
        feature_parts.facets()
        feature_parts.share()


def controls(depth: int, patches: int) -> None:
    """The network, its block and the pictures; the photo; the mask and what stands in it."""
    with st.container(key="mask-controls"):
        state.show_problem("link")
        features.choose_network(depth)
        features.choose_pictures()
        features.choose_training()
    with st.container(key="photo-controls"):
        photos.draw()
        if patches:
            knobs.draw_mask(patches)
            state.show_problem("mask")
            knobs.draw_fill()


live()
