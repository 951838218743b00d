"""Two networks merged, and the subspace that two classes or photos share: controls and results."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import streamlit as st

from app import running, state, worker
from app.components.scripts import component
from app.components.weights import current as hiding
from app.knob_rows import network_label
from app.merge_steps import KEPT, gate_steps, merge_steps
from workbench.data.samples import photos
from workbench.errors import BadInput
from workbench.scenes.layer_masking_spec import classifiers
from workbench.scenes.merging import FIRST, MergeSpec, save_merged
from workbench.scenes.subspace import classes_of
from workbench.scenes.weights_spec import command

HOW = {
    "add": "Task vectors", "scales": "Learnt scales (aTLAS)", "concrete": "Concrete mask",
    "fuse": "Transport fusion",
}  # fmt: skip
PRICE = 0.02


@dataclass(frozen=True)
class Looking:
    """What the two parts show; fields are query parameters with `merge_` or `gate_` before them.

    `b` and `base` are networks; `merged` and `gated` say that it was asked for.
    """

    b: str = ""
    base: str = ""
    how: str = "add"
    scale_a: float = 1.0
    scale_b: float = 0.5
    merged: bool = False
    on: str = "classes"
    first: str = ""
    second: str = ""
    price: float = PRICE
    gated: bool = False

    def to_query(self) -> dict[str, str]:
        """What differs from the defaults."""
        plain, given = dataclasses.asdict(Looking()), dataclasses.asdict(self)
        return {
            f"m_{name}": str(int(value) if isinstance(value, bool) else value)
            for name, value in given.items()
            if value != plain[name]
        }


def current() -> Looking:
    """What is shown; the first call of a session reads it from the address."""
    if "merging_looking" not in st.session_state:
        st.session_state["merging_looking"] = linked(st.query_params.to_dict())
    return st.session_state["merging_looking"]


def linked(query: Mapping[str, str]) -> Looking:
    """Read a link; a network that is not listed is left out, and told."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(Looking):
        text = query.get(f"m_{field.name}")
        if text is None:
            continue
        try:
            kinds: dict[Any, Any] = {float: float, bool: lambda told: told == "1"}
            values[field.name] = kinds.get(field.type, str)(text)
        except ValueError:
            state.complain("merge", f"{field.name} is {text[:40]!r} in the link, wanted a number.")
    known = ("", FIRST, *classifiers())
    for name in ("b", "base"):
        if values.get(name, "") not in known:
            state.complain("merge", f"{values.pop(name)[:60]!r} is no network here; choose one.")
    return Looking(**values)


def _put(**fields: Any) -> None:
    st.session_state["merging_looking"] = dataclasses.replace(current(), **fields)


def _kept(name: str, key: str, **also: Any) -> None:
    state.settle("merge")
    state.settle("gates")
    _put(**{name: st.session_state[key]}, **also)


def merge() -> None:
    """Which networks, how, and what came of it."""
    now, known = current(), classifiers()
    a = hiding().spec.network
    others = [each for each in known if each != a]
    b = now.b if now.b in others else others[0]
    left, right = st.columns(2)
    with left:
        state.follow("merge_b", b)
        st.selectbox(
            "Merge it with", others, key="merge_b", format_func=network_label,
            help="B, of the same architecture as A: at best both were fine-tuned from one network.",
            on_change=_kept, args=("b", "merge_b"), kwargs={"merged": False},
        )  # fmt: skip
    with right:
        bases = ["", *([FIRST] if a.startswith("run:") else []), *known]
        state.follow("merge_base", now.base if now.base in bases else "")
        st.selectbox(
            "Task vectors begin at", bases, key="merge_base", format_func=_base,
            help="The network from which both were fine-tuned; A itself takes B less A as vector.",
            on_change=_kept, args=("base", "merge_base"), kwargs={"merged": False},
        )  # fmt: skip
    state.follow("merge_how", now.how if now.how in HOW else "add")
    st.segmented_control(
        "How", list(HOW), key="merge_how", format_func=HOW.__getitem__, required=True,
        on_change=_kept, args=("how", "merge_how"), kwargs={"merged": False},
    )  # fmt: skip
    _scales(now)
    state.show_problem("merge")
    spec = _merge_spec(a, b)
    if st.button("Merge", type="primary", icon=":material/merge:") and spec is not None:
        _put(merged=True)
        running.restarted("merge", spec, partial(merge_steps, spec))
    job = None
    if spec is not None and current().merged:
        job = running.started("merge", spec, partial(merge_steps, spec))
    component("merge")(
        key="merge", data={"job": "" if job is None else job.mark}, on_ready_change=_ready
    )
    if spec is not None and spec in KEPT:
        _keeping(spec)


def _scales(now: Looking) -> None:
    """Sliders of what the chosen way takes."""
    labels = {
        "add": "Scale of B's vector",
        "concrete": "Scale of both vectors",
        "fuse": "Share of B",
    }
    if now.how == "add" and now.base:
        state.follow("merge_scale_a", now.scale_a)
        st.slider(
            "Scale of A's vector", -1.0, 1.5, step=0.05, key="merge_scale_a",
            on_change=_kept, args=("scale_a", "merge_scale_a"),
        )  # fmt: skip
    if now.how in labels:
        state.follow("merge_scale_b", now.scale_b)
        st.slider(
            labels[now.how], 0.0 if now.how == "fuse" else -1.0, 1.0 if now.how == "fuse" else 1.5,
            step=0.05, key="merge_scale_b", on_change=_kept, args=("scale_b", "merge_scale_b"),
        )  # fmt: skip


def _base(name: str) -> str:
    return {"": "A itself", FIRST: "The first weights of A's run"}.get(name) or network_label(name)


def _merge_spec(a: str, b: str) -> MergeSpec | None:
    now, hidden = current(), hiding().spec
    try:
        return MergeSpec(
            a=a, b=b, base=now.base, how=now.how, scale_a=now.scale_a, scale_b=now.scale_b,  # pyright: ignore[reportArgumentType]
            count=hidden.count, seed=hidden.seed,
        )  # fmt: skip
    except BadInput as error:
        state.complain("merge", str(error))
        return None


def _ready() -> None:
    """A rerun is all that the end of the work is for: what can be saved now is shown."""


def _keeping(spec: MergeSpec) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        name = st.text_input("Save the merge as", placeholder="my-merge", width=260)
        if st.button("Save it", icon=":material/save:", disabled=not name):
            try:
                place = worker.run(save_merged, spec, KEPT[spec], name.strip())
                st.caption(f"Saved as {place.name}, among your networks.")
            except BadInput as error:
                st.error(str(error))


def gates() -> None:
    """Which pair, and the dimensions in which it is alike."""
    now, network = current(), hiding().spec.network
    state.follow("gate_on", now.on if now.on in ("classes", "photos") else "classes")
    st.segmented_control(
        "A pair of", ["classes", "photos"], key="gate_on", required=True,
        on_change=_kept, args=("on", "gate_on"),
        kwargs={"first": "", "second": "", "gated": False},
    )  # fmt: skip
    try:
        options = list(_pairs(network, now.on))
    except BadInput as error:
        state.complain("gates", str(error))
        options = []
    state.show_problem("gates")
    if len(options) < 2:
        st.caption("The data of this network have no classes that are known here; take photos.")
        return
    chosen = [now.first if now.first in options else options[0]]
    chosen.append(now.second if now.second in options else options[1])
    columns = st.columns(3)
    for column, name, value in zip(columns[:2], ("first", "second"), chosen, strict=True):
        with column:
            state.follow(f"gate_{name}", value)
            st.selectbox(
                name.capitalize(), options, key=f"gate_{name}", on_change=_kept,
                args=(name, f"gate_{name}"), kwargs={"gated": False},
            )  # fmt: skip
    with columns[2]:
        state.follow("gate_price", now.price)
        st.slider(
            "Price of an open gate", 0.0, 0.2, step=0.01, key="gate_price",
            on_change=_kept, args=("price", "gate_price"),
        )  # fmt: skip
    asked = (network, now.on, *chosen, current().price)
    st.session_state["gates_asked"] = asked
    if st.button("Find the subspace", type="primary", icon=":material/scatter_plot:"):
        _put(gated=True)
        running.restarted("gates", asked, partial(gate_steps, *asked))
    job = None
    if current().gated:
        job = running.started("gates", asked, partial(gate_steps, *asked))
    component("subspace")(
        key="subspace", data={"job": "" if job is None else job.mark, "names": chosen}
    )


def _pairs(network: str, on: str) -> tuple[str, ...]:
    if on == "photos":
        return tuple(each.name for each in photos())
    known = st.session_state.setdefault("gate_classes", {})
    if network not in known:
        known[network] = worker.run(classes_of, network)
    return known[network]


def commands() -> list[str]:
    """The commands of what was asked for in these two parts."""
    now, lines = current(), list[str]()
    job_spec = running.asked_of("merge")
    if now.merged and isinstance(job_spec, MergeSpec):
        lines.append(job_spec.command())
    asked = st.session_state.get("gates_asked")
    if now.gated and asked:
        network, on, first, second, price = asked
        words = ["shared", network, first, second, "--on", on, "--price", f"{price:g}"]
        lines.append(command([*words, "--out", "weights/shared"]))
    return lines
