"""A network seen from inside: what is chosen, and what the browser needs to show it."""

import base64
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import numpy as np
import streamlit as st

from app import state, worker
from app.components.scripts import component
from app.knob_rows import network_label
from app.payloads import shown
from app.sentences import whole
from workbench import scenes
from workbench.errors import BadInput
from workbench.interventions import INTERVENTIONS, recipes_of
from workbench.scenes.inside import Inside, look_inside, network
from workbench.scenes.inside_spec import InsideSpec, listed

KEY = "inside"
CHOICES = {
    "hide": ("drop", "keys"),
    "show": ("attention", "change"),
    "scale": ("fixed", "each"),
    "part": ("encoder", "decoder"),
    "whole": ("rollout", "similarity", "relevance"),
}
NOISE = 0.1  # times that differ less are called equal
NUMBERS = ("query", "layer", "head")


@dataclass(frozen=True)
class Looking:
    """What this page shows beside the scene's photo, fit, mask and seed."""

    network: str = "default"
    masked: bool = False
    hide: str = "drop"
    change: str = ""
    query: int = -1
    layer: int = -1
    head: int = -1
    show: str = "attention"
    scale: str = "fixed"
    part: str = "encoder"
    whole: str = "rollout"

    def to_query(self) -> dict[str, str]:
        """What differs from the defaults."""
        given = {**dataclasses.asdict(self), "masked": int(self.masked)}
        plain = {**dataclasses.asdict(Looking()), "masked": 0}
        return {name: str(value) for name, value in given.items() if value != plain[name]}


def current() -> Looking:
    """What this page shows; the first call of a session reads it from the address."""
    if "looking" not in st.session_state:
        st.session_state["looking"] = linked(st.query_params.to_dict())
    return st.session_state["looking"]


def linked(query: Mapping[str, str]) -> Looking:
    """Read a link; what cannot be read is told and gives way to the default."""
    values: dict[str, Any] = {"masked": query.get("masked") == "1"}
    values |= {name: query[name] for name in CHOICES if query.get(name) in CHOICES[name]}
    for name in NUMBERS:
        if query.get(name, "").isascii() and query.get(name, "").isdigit():
            values[name] = min(int(query[name][:6]), 99_999)
    if query.get("network", "default") in listed():
        values["network"] = query.get("network", "default")
    else:
        state.complain("network", f"No network here is called {query['network'][:60]}; choose one.")
    try:
        values["change"] = InsideSpec(change=query.get("change", "")).change
    except BadInput as error:
        state.complain("change", str(error))
    return Looking(**values)


def spec() -> InsideSpec:
    """All that decides the picture."""
    scene, now = state.spec(), current()
    given = dataclasses.asdict(now)
    masked, name = given.pop("masked"), given.pop("network")
    mask = scene.mask if masked else ""
    return InsideSpec(
        photo=scene.photo, fit=scene.fit, seed=scene.seed, model=name, mask=mask, **given
    )


def patches() -> int:
    """How many patches the network has; 0 where it cannot be loaded."""
    try:
        return worker.run(network, current().network).grid.size
    except BadInput as error:
        state.complain("network", str(error))
        return 0


def choose() -> None:
    """The menu of networks."""
    state.follow("inside_network", current().network)
    st.selectbox(
        "Network", listed(), key="inside_network", on_change=_network_chosen,
        format_func=network_label,
    )  # fmt: skip
    state.show_problem("network")


def masking() -> bool:
    """The switch that hides patches by the mask; whether it is on."""
    state.follow("inside_masked", current().masked)
    st.toggle("Hide patches by a mask", key="inside_masked", on_change=_masking_changed)
    if current().masked:
        state.follow("inside_hide", current().hide)
        st.segmented_control(
            "Hidden patches", list(CHOICES["hide"]), key="inside_hide", required=True,
            format_func={"drop": "Drop their tokens", "keys": "Hide their keys"}.__getitem__,
            on_change=_masking_changed, width="stretch",
        )  # fmt: skip
    return current().masked


def _put(**fields: Any) -> None:
    st.session_state["looking"] = dataclasses.replace(current(), **fields)


def _network_chosen() -> None:
    state.settle("network")
    _put(network=st.session_state["inside_network"], query=-1, layer=-1, head=-1)


def _masking_changed() -> None:
    hide = st.session_state.get("inside_hide") or current().hide
    _put(masked=st.session_state["inside_masked"], hide=hide)


def draw() -> None:
    """Run the network, unless nothing changed, and show it."""
    now, data = current(), dict[str, Any](problem=state.problems().get("change"))
    try:
        made = spec()
        data |= worker.run(_payload, made)
        st.session_state["inside_last"] = data
    except BadInput as error:
        last = st.session_state.get("inside_last", {"mark": ""})
        data = {**last, "problem": whole(str(error))}
    except Exception as error:
        last = st.session_state.get("inside_last", {"mark": ""})
        data = {**last, "problem": state.unexpected(error)}
    data["choice"] = {**dataclasses.asdict(now), "seq": _choice().get("seq", 0)}
    data["parts"] = [str(each) for each in recipes_of(now.change)]
    data["known"] = [INTERVENTIONS.get(name)() for name in INTERVENTIONS.names()]
    data["known"] = [str(each) for each in data["known"] if "vit" in each.on]
    component("inside")(key=KEY, data=data, on_choice_change=_chosen)


def share() -> None:
    """The link of this view, and the same in Python and as a command."""
    fields = {k: v for k, v in state.spec().to_query().items() if k not in ("model", "fill")}
    given = {key: value for key, value in spec().to_query().items() if key in SPEC_FIELDS}
    words = ", ".join(
        f"{key}={value if key in ('query', 'seed') else repr(value)}"
        for key, value in given.items()
    )
    python = (
        "from workbench.scenes.inside import look_inside\n"
        "from workbench.scenes.inside_spec import InsideSpec\n\n"
        f"found = look_inside(InsideSpec({words}))\n"
        "print(found.maps.shape, found.moved)\n"
    )
    data = {"query": urlencode({**fields, **current().to_query()}), "python": python, "command": ""}
    component("link")(key="link", data=data)


SWITCHES = ("show", "scale", "part", "whole")
SPEC_FIELDS = ("part", "whole", "photo", "fit", "model", "mask", "hide", "change", "query", "seed")


def _choice() -> dict[str, Any]:
    return (st.session_state.get(KEY) or {}).get("choice") or {}


def _chosen() -> None:
    told = _choice()
    values: dict[str, Any] = {
        name: told[name] for name in SWITCHES if told.get(name) in CHOICES[name]
    }
    values |= {name: told[name] for name in NUMBERS if type(told.get(name)) is int}
    if isinstance(told.get("change"), str):
        try:
            values["change"] = InsideSpec(change=told["change"]).change
            state.settle("change")
        except BadInput as error:
            state.complain("change", str(error))
    _put(**values)


def _payload(made: InsideSpec) -> dict[str, Any]:
    found = look_inside(made)
    plain, changed = found.milliseconds
    return {
        "mark": repr(made),
        "photo": scenes.data_uri(found.photo),
        "shape": found.photo.shape[1] / found.photo.shape[0],
        "rows": found.grid.rows,
        "cols": found.grid.cols,
        "patch": found.grid.patch,
        "heads": list(found.heads),
        "maps": _packed(found.maps),
        "plain": _packed(found.plain),
        "hidden": "".join("1" if each else "0" for each in found.hidden.ravel().tolist()),
        "top": found.top,
        "asks": found.asks,
        "rollout": _packed(found.rollout),
        "plain_rollout": _packed(found.plain_rollout),
        "measures": _measures(found),
        "scores": [(name, f"{a:.3f}", f"{b:.3f}") for name, a, b in found.scores],
        "said": _said(found, plain, changed),
        "notes": list(found.notes),
    }


def _measures(found: Inside) -> list[str]:
    """One line a layer: distance, entropy and diversity, means over the heads."""
    lines: list[str] = []
    for layer in range(len(found.heads)):
        row = found.distance[layer][np.isfinite(found.distance[layer])]
        if not len(row):
            lines.append("skipped")
            continue
        even = float(np.nanmean(found.entropy[layer]))
        lines.append(
            f"{float(row.mean()):.0f} px · entropy {even:.2f} · "
            f"diversity {float(found.diversity[layer]):.2f}"
        )
    return lines


def _said(found: Inside, plain: float, changed: float) -> str:
    if not (found.spec.change or found.spec.mask):
        return f"Unchanged network, {plain:.0f} ms a picture."
    kept = np.isfinite(found.similar)
    tokens = shown(float(found.similar[kept].mean()), 4) if kept.any() else "–"
    share = (plain - changed) / max(plain, 1e-9)
    saved = f"{share:.0%} saved" if share > NOISE else "as long as before"
    if share < -NOISE:
        saved = f"{-share:.0%} more"
    return (
        f"The answer moved by {found.moved:.4f} (1 − cosine); patches keep a cosine of {tokens} to "
        f"what they were. {plain:.1f} ms became {changed:.1f} ms: {saved}."
    )


def _packed(maps: Any) -> str:
    """Float [...] in [0, 1] as base64 of uint16, little-endian; 65535 where there is nothing."""
    missing = np.isnan(maps)
    values = np.where(missing, 0, np.clip(maps, 0, 1)) * 65534 + 0.5
    packed = np.where(missing, 65535, np.floor(values)).astype("<u2")
    return base64.b64encode(packed.tobytes()).decode()
