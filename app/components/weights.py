"""Hidden weights: which way, the masks as pictures, the curve, and the checkpoint that is saved."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from app import running, state, worker
from app.components.scripts import component
from app.knob_rows import declared_rows, network_label, plain, tuned
from app.weight_steps import hide_steps, picture, value_steps
from workbench.errors import BadInput
from workbench.scenes.layer_masking_spec import classifiers
from workbench.scenes.weights import LARGE, layers, made, save
from workbench.scenes.weights_spec import FEWEST, MOST, OFFERED, WeightsSpec
from workbench.sparsity import SPARSIFIERS

KEY, EDITED = "weights", "weight-knobs"


@dataclass(frozen=True)
class Looking:
    """What this page shows: the spec, the layer seen large, and what was asked to be made.

    `curve` and `learnt` say that it was asked for, so that a link asks again.
    """

    spec: WeightsSpec
    layer: str = ""
    curve: bool = False
    learnt: bool = False

    def to_query(self) -> dict[str, str]:
        """The spec's query, and what differs from the defaults."""
        own = {"layer": self.layer, "curve": "1" * self.curve, "learnt": "1" * self.learnt}
        return {**self.spec.to_query(), **{name: text for name, text in own.items() if text}}


def current() -> Looking:
    """What this page shows; the first call of a session reads it from the address."""
    if "weights_looking" not in st.session_state:
        st.session_state["weights_looking"] = linked(st.query_params.to_dict())
    return st.session_state["weights_looking"]


def linked(query: Mapping[str, str]) -> Looking:
    """Read a link; what cannot be read is told and gives way to the default."""
    spec = WeightsSpec(network=classifiers()[0])
    for name in ("network", "hide", "ways", "count", "seed"):
        if name in query:
            try:
                read = WeightsSpec.from_query({**spec.to_query(), name: query[name]})
                spec = read
            except BadInput as error:
                state.complain("network" if name == "network" else "weights", str(error))
    flags = {name: query.get(name) == "1" for name in ("curve", "learnt")}
    return Looking(spec, layer=query.get("layer", "")[:200], **flags)


def _put(**fields: Any) -> None:
    st.session_state["weights_looking"] = dataclasses.replace(current(), **fields)


def _respec(**fields: Any) -> None:
    state.settle("weights")
    try:
        _put(spec=dataclasses.replace(current().spec, **fields))
    except BadInput as error:
        state.complain("weights", str(error))


def choose() -> None:
    """The network, and how many pictures it is measured on."""
    spec, known = current().spec, classifiers()
    state.follow("weights_network", spec.network)
    st.selectbox(
        "Network", known, key="weights_network", format_func=network_label,
        on_change=_network_chosen,
    )  # fmt: skip
    state.show_problem("network")
    state.follow("weights_count", spec.count)
    st.number_input(
        "Test pictures", FEWEST, MOST, key="weights_count", step=50, on_change=_count_chosen,
        help="To measure on; ways that learn get others. Of the run's data, of a set whose classes "
        "have the network's names, or bundled photos, on which only agreement can be measured.",
    )  # fmt: skip


def _network_chosen() -> None:
    state.settle("network")
    _put(layer="", curve=False, learnt=False)
    _respec(network=st.session_state["weights_network"])


def _count_chosen() -> None:
    _put(curve=False)
    _respec(count=int(st.session_state["weights_count"]))


def ways() -> None:
    """Which weights are hidden: the way and its knobs."""
    found = SPARSIFIERS.parse(current().spec.hide)
    state.follow("weights_way", found.name)
    st.selectbox(
        "Hide weights by", SPARSIFIERS.names(), key="weights_way", format_func=plain,
        on_change=_way_chosen, help=(type(found).__doc__ or "").split("\n\n")[0],
    )  # fmt: skip
    rows = declared_rows(found, "hide", state.problems())
    component("knobs")(
        key=EDITED, data={"owner": found.name, "knobs": rows, "seq": _edit().get("seq", 0)},
        on_edit_change=_edited,
    )  # fmt: skip
    state.show_problem("weights")
    state.show_problem("hide")


def _edit() -> dict[str, Any]:
    return (st.session_state.get(EDITED) or {}).get("edit") or {}


def _way_chosen() -> None:
    _put(learnt=False)
    _respec(hide=st.session_state["weights_way"])


def _edited() -> None:
    edit, found = _edit(), SPARSIFIERS.parse(current().spec.hide)
    if edit.get("owner") != found.name:
        return
    for name in [name for name in state.problems() if name.split(".")[0] == "hide"]:
        state.settle(name)

    def complain(knob: str, sentence: str) -> None:
        state.complain(f"hide.{knob}" if knob else "hide", sentence)

    recipe = tuned(SPARSIFIERS, found, edit.get("values", {}), complain)
    if recipe is not None:
        _put(learnt=False)
        _respec(hide=recipe)


def draw() -> None:
    """The masks as pictures; a way that learns waits for the button."""
    now = current()
    spec = _masked(now.spec)
    learns = SPARSIFIERS.parse(spec.hide).learns
    if learns and st.button("Learn the mask", type="primary", icon=":material/school:"):
        _put(learnt=True)
        running.restarted(KEY, spec, partial(hide_steps, spec))
    now, job = current(), None
    if not learns or now.learnt:
        job = running.started(KEY, spec, partial(hide_steps, spec))
    masks = made(spec) if job is not None else None
    data = {
        "job": "" if job is None else job.mark,
        "hint": "This way learns from pictures and labels; press the button to start.",
        "layer": now.layer,
        "large": worker.run(_large, masks, now.layer) if masks is not None and now.layer else None,
        "seq": _choice().get("seq", 0),
    }
    component(KEY)(key=KEY, data=data, on_choice_change=_chosen, on_ready_change=_ready)
    if masks is not None:
        keeping(spec, masks)


def _masked(spec: WeightsSpec) -> WeightsSpec:
    """What decides the masks and their worth: without the curve's ways."""
    return dataclasses.replace(spec, ways=WeightsSpec().ways)


def _large(masks: Any, name: str) -> dict[str, Any] | None:
    found = [each for each in layers(masks, LARGE) if each.name == name]
    return picture(found[0]) if found else None


def _choice() -> dict[str, Any]:
    return (st.session_state.get(KEY) or {}).get("choice") or {}


def _chosen() -> None:
    if isinstance(_choice().get("layer"), str):
        _put(layer=_choice()["layer"])


def _ready() -> None:
    """A rerun is all that the end of the work is for: what can be saved now is shown."""


def keeping(spec: WeightsSpec, masks: Any) -> None:
    """A name and a button that save the network without its hidden weights."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        name = st.text_input("Save as", placeholder="my-sparse-network", width=260)
        if st.button("Save", icon=":material/save:", disabled=not name):
            try:
                place = worker.run(save, spec, masks, name.strip())
                state.settle("saved")
                st.session_state["weights_saved"] = f"Saved as {place.name}, among your networks."
            except BadInput as error:
                st.session_state.pop("weights_saved", None)
                state.complain("saved", str(error))
    state.show_problem("saved")
    if "weights_saved" in st.session_state:
        st.caption(st.session_state["weights_saved"])


def curve() -> None:
    """Which ways are compared, the button, and the curve."""
    spec = current().spec
    options = [*OFFERED, *(each for each in spec.ways if each not in OFFERED)]
    state.follow("weights_ways", list(spec.ways))
    st.multiselect(
        "Ways to compare", options, key="weights_ways", on_change=_ways_chosen,
        accept_new_options=True, max_selections=9,
        help="Choose, or type a recipe. Ways with a ratio are asked for 100% to 5% of the "
        "weights; a learnt mask is one point.",
    )  # fmt: skip
    spec = dataclasses.replace(current().spec, hide=WeightsSpec().hide)
    if st.button("Measure", type="primary", icon=":material/play_arrow:", key="weights_measure"):
        _put(curve=True)
        running.restarted("weightcurve", spec, partial(value_steps, spec))
    job = None
    if current().curve:
        job = running.started("weightcurve", spec, partial(value_steps, spec))
    data = {
        "job": "" if job is None else job.mark,
        "ways": list(spec.ways),
        "measure": f"What {network_label(spec.network)} still tells",
    }
    component("weightcurve")(key="weightcurve", data=data)


def _ways_chosen() -> None:
    chosen = tuple(each.strip() for each in st.session_state["weights_ways"])
    _put(curve=False)
    _respec(ways=chosen)


def share(more: Mapping[str, str], commands: list[str]) -> None:
    """The link of this view with `more` parameters, the same in Python, and as commands."""
    spec = current().spec
    python = (
        "from workbench.scenes.weights import hide, values\n"
        "from workbench.scenes.weights_spec import WeightsSpec\n\n"
        f"spec = {spec!r}\n"
        "*_, found = hide(spec)\n"
        "print(found.masks.ratios(), found.before, found.after)\n"
        "for value in values(spec):\n"
        "    print(value)\n"
    )
    lines = [*spec.commands(curve=current().curve), *commands]
    data = {
        "query": urlencode({**current().to_query(), **more}),
        "python": python,
        "command": "\n".join(lines),
    }
    component("link")(key="link", data=data)
