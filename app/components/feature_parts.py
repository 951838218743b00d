"""Heads ranked by codes and facets of a unit: what is asked, and what came of it."""

from functools import partial
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from app import running, state, worker
from app.components.features import OF_PICTURES, current, put, respec, unit
from app.components.scripts import component
from app.feature_steps import facet_steps, head_steps
from workbench.errors import BadInput
from workbench.scenes.features import study_of
from workbench.scenes.features_spec import BOUNDS, FeaturesSpec
from workbench.scenes.inside import network

HEADS, FACETS = "headcodes", "facets"


def heads(depth: int) -> None:
    """How many pictures, the button, and the heads of `depth` blocks in order."""
    spec = current().spec
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        state.follow("features_pairs", spec.pairs)
        st.number_input(
            "Pairs of pictures", *BOUNDS["pairs"], key="features_pairs", width=150,
            on_change=lambda: respec(pairs=st.session_state["features_pairs"]),
            help="Pictures of the set, and the same with the mask painted over. A mask that hides "
            "one thing, such as a painted one or block(ratio=0.2), tells heads apart best.",
        )  # fmt: skip
        pressed = st.button(
            "Rank the heads", type="primary", icon=":material/leaderboard:", disabled=not depth
        )
    asked = _pairs(current().spec)
    if pressed:
        put(ranked=True)
        running.restarted(HEADS, asked, partial(head_steps, asked))
    elif current().ranked and running.job_of(HEADS) is None:
        running.started(HEADS, asked, partial(head_steps, asked))
    job = running.job_of(HEADS)
    stale = job is not None and running.asked_of(HEADS) != asked
    if stale and current().ranked:
        put(ranked=False)
    data = {
        "job": "" if job is None else job.mark,
        "stale": stale,
        "inside": f"/inside?{urlencode({'network': asked.network, 'photo': asked.photo})}",
    }
    component(HEADS)(key=HEADS, data=data)


def _pairs(spec: FeaturesSpec) -> FeaturesSpec:
    """What decides the ranking, and nothing else but the photo of the links."""
    return FeaturesSpec(
        network=spec.network, data=spec.data, pairs=spec.pairs, mask=spec.mask, fill=spec.fill,
        seed=spec.seed, photo=spec.photo,
    )  # fmt: skip


def facets() -> None:
    """Of the feature seen large or of a class; how many, how far climbed; the pictures."""
    names, now = _classes(), current()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        _unit(names)
        for name, label in (("facets", "Facets"), ("climb", "Steps of each")):
            state.follow(f"features_{name}", getattr(now.spec, name))
            st.number_input(
                label, *BOUNDS[name], key=f"features_{name}", width=130,
                on_change=_reshaped, args=(name,),
            )  # fmt: skip
        can = bool(now.spec.unit) or (now.learnt and study_of(now.spec) is not None)
        pressed = st.button(
            "Draw the facets", type="primary", icon=":material/auto_awesome_mosaic:",
            disabled=not can, help=None if can else "Learn the features first, or take a class.",
        )  # fmt: skip
    spec = unit()
    asked = (spec.learnt, spec.unit or spec.latent, spec.facets, spec.climb)
    if pressed:
        put(faceted=True)
        running.restarted(FACETS, asked, partial(facet_steps, spec))
    job = None
    if current().faceted and can:
        job = running.started(FACETS, asked, partial(facet_steps, spec))
    of = {name: text for name, text in spec.to_query().items() if name in OF_PICTURES}
    data = {
        "job": "" if job is None else job.mark,
        "unit": f"Class {names[int(spec.unit.removeprefix('class:'))]}" if spec.unit and names
        else f"Feature {spec.latent}",
        "pictures": f"/api/feature?{urlencode(of)}",
        "name": spec.unit or f"latent:{spec.latent}",
    }  # fmt: skip
    component(FACETS)(key=FACETS, data=data)


def _classes() -> list[str]:
    """Names of the network's classes, numbers where it has none; [] without a head."""
    try:
        found = worker.run(network, current().spec.network)
    except BadInput:
        return []
    return list(found.labels) or [str(at) for at in range(found.classes)]


def _unit(names: list[str]) -> None:
    if not names:
        return
    spec = current().spec
    options = ["", *(f"class:{at}" for at in range(len(names)))]
    state.follow("features_unit", spec.unit if spec.unit in options else "")
    st.selectbox(
        "Of", options, key="features_unit", width=240,
        format_func=lambda name: f"Class {names[int(name.removeprefix('class:'))]}" if name
        else "The feature seen large",
        on_change=_reshaped, args=("unit",),
    )  # fmt: skip


def _reshaped(name: str) -> None:
    value: Any = st.session_state[f"features_{name}"]
    put(faceted=False)
    respec(**{name: value})


def share() -> None:
    """The link of this view, and the same in Python and as commands."""
    now, spec = current(), unit()
    data = {
        "query": urlencode(now.to_query()),
        "python": spec.python(),
        "command": spec.commands(heads=now.ranked, facets=now.faceted),
    }
    component("link")(key="link", data=data)
