"""Train your own: choose what is learnt and what is hidden, see what it takes, start it."""

from typing import Any
from urllib.parse import urlencode

import streamlit as st

from app import state, worker
from app.components import training
from app.components.scripts import component
from workbench.errors import BadInput
from workbench.runs import spelling
from workbench.runs.estimating import usual_seconds

SECTION = "Training"

LOADING = "The objectives are being read, once; this takes a few seconds."


@st.fragment
def live() -> None:
    """The form beside what it comes to: one fragment, so that a change reruns nothing else."""
    with st.container(key="bench"):
        left, right = st.columns([44, 62], gap="large")
    with left:
        form()
    with right, st.container(key="beginning"), st.container(key="outcome"):
        outcome()


def form() -> None:
    """Preset first, then what can be changed about it."""
    training.current()  # the link is read before what is wrong with it can be told
    state.show_problem("train")
    with st.container(key="mask-controls"):
        training.menu("preset")
        training.run_knobs(main=True)
        training.engines()
    with st.container(key="more-controls"):
        training.menu("data")
        training.recipe_knobs("data")
        training.menu("objective")
        with st.expander("Knobs of the objective"):
            training.recipe_knobs("objective")
        training.menu("mask")
        training.recipe_knobs("mask")
        with st.expander("All other knobs: model, optimiser, pictures, checkpoints"):
            training.run_knobs(main=False)


def outcome() -> None:
    """What it takes, the button that starts it, and the same as link, Python and command."""
    config = training.current()
    preset, changed = spelling.spelled(config)
    engine = training.engine()
    python = spelling.python(preset, changed, engine)
    command = spelling.command(preset, changed, engine)
    data: dict[str, Any] = {
        "config": config.record(), "engine": engine, "command": command, "expected": expected(),
        "answered": training.answered(), "refused": training.refused(),
        "missing": training.missing(),
    }  # fmt: skip
    component("train")(key="train", data=data)
    query = urlencode(spelling.query(preset, changed, engine))
    shared = {"query": query, "python": python, "command": command}
    component("link")(key="link", data=shared)


def expected() -> str:
    """How long runs of this kind took on this machine, where there were any."""
    if training.engine():
        return ""
    try:
        seconds = usual_seconds([training.current()])
    except BadInput:
        return ""
    if seconds is None:
        return ""
    told = f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
    return f"At the speed of the last run like it here, training takes {told}."


waiting = st.empty()
if training.KEY not in st.session_state:
    waiting.caption(LOADING)
    worker.run(training.train_form.run_presets)
waiting.empty()
live()
