"""Ways of removing side by side: what is chosen, and what the browser needs to show it."""

import base64
import dataclasses
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlencode

import numpy as np
import streamlit as st

from app import running, state, worker
from app.components.scripts import component
from app.knob_rows import network_label
from app.layer_steps import NAMES, curve_steps, leak_steps
from app.sentences import whole
from workbench import scenes
from workbench.errors import BadInput
from workbench.interventions.layer_mask import FILLS, POLICIES
from workbench.models.catalog import own_networks
from workbench.scenes.inside import network
from workbench.scenes.layer_curves import ORDERS, SHARES, data_of
from workbench.scenes.layer_masking import Answer, Answers, answers, cells, ways
from workbench.scenes.layer_masking_spec import FEWEST, MOST, LayerMaskingSpec, classifiers
from workbench.scenes.paint import patch_ranges

KEY = "layermask"
TOLD, SMALL = 3, 96  # classes a card; pictures below that many pixels are shown as they are
MEASURES = ("kept", "same", "accuracy", "class_entropy", "confidence", "entropy")
OWN = ("network", "policy", "filling", "on", "count")


@dataclass(frozen=True)
class Looking:
    """What this page shows beside the scene's photo, fit, mask and seed.

    `curves` and `leak` say that they were asked for, so that a link asks again.
    """

    network: str
    policy: str = "any"
    filling: str = "neighbour"
    on: str = "photo"
    count: int = 32
    measure: str = "kept"
    curves: bool = False
    leak: bool = False

    def to_query(self) -> dict[str, str]:
        """The network, and what differs from the defaults."""
        plain = dataclasses.asdict(Looking(network=""))
        given = dataclasses.asdict(self)
        return {
            name: str(int(value) if isinstance(value, bool) else value)
            for name, value in given.items()
            if value != plain[name]
        }


def current() -> Looking:
    """What this page shows; the first call of a session reads it from the address."""
    if "layer_looking" not in st.session_state:
        st.session_state["layer_looking"] = linked(st.query_params.to_dict())
    return st.session_state["layer_looking"]


def linked(query: Mapping[str, str]) -> Looking:
    """Read a link; what cannot be read is told and gives way to the default."""
    plain = LayerMaskingSpec(network=classifiers()[0])
    values: dict[str, Any] = {"network": plain.network}
    for name in OWN:
        if name in query:
            try:
                read = LayerMaskingSpec.from_query({name: query[name]})
                values[name] = getattr(read, name)
            except BadInput as error:
                state.complain("network", str(error))
    values |= {name: query.get(name) == "1" for name in ("curves", "leak")}
    if query.get("measure") in MEASURES:
        values["measure"] = query["measure"]
    return Looking(**values)


def spec() -> LayerMaskingSpec:
    """All that decides the pictures and the numbers."""
    scene, now = state.spec(), current()
    given = {name: getattr(now, name) for name in OWN}
    return LayerMaskingSpec(
        photo=scene.photo, fit=scene.fit, mask=scene.mask, seed=scene.seed, **given
    )


def patches() -> int:
    """How many cells there are to hide; 0 where the network cannot be loaded."""
    try:
        name = current().network
        return worker.run(lambda: cells(network(name)).size)
    except BadInput as error:
        state.complain("network", str(error))
        return 0


def choose() -> None:
    """The menu of networks, and the dials of layer masking."""
    known = classifiers()
    chosen = current().network
    state.follow("layer_network", chosen)
    st.selectbox(
        "Network", known if chosen in known else [*known, chosen], key="layer_network",
        on_change=_network_chosen, format_func=network_label,
    )  # fmt: skip
    state.show_problem("network")


def dials() -> None:
    """The dials of layer masking, where the network is a convnet."""
    if "layer_mask" not in st.session_state.get("layer_ways", ()):
        return
    for name, label, choices, words in (
        ("policy", "A place is visible where its window holds", POLICIES, _POLICIES),
        ("filling", "The next kernel reads at holes", FILLS, _FILLINGS),
    ):
        state.follow(f"layer_{name}", getattr(current(), name))
        st.segmented_control(
            label, choices, key=f"layer_{name}", required=True, format_func=words.__getitem__,
            on_change=_dialled, args=(name,), width="stretch",
        )  # fmt: skip


_POLICIES = {"any": "anything visible", "all": "only visible", "fixed": "the resized mask"}
_FILLINGS = {"neighbour": "neighbours", "zero": "zeros", "renormalise": "renormalised"}


def _put(**fields: Any) -> None:
    st.session_state["layer_looking"] = dataclasses.replace(current(), **fields)


def _network_chosen() -> None:
    state.settle("network")
    _put(network=st.session_state["layer_network"], curves=False, leak=False)


def _dialled(name: str) -> None:
    _put(**{name: st.session_state[f"layer_{name}"]}, curves=False, leak=False)


def draw() -> None:
    """Ask by every way, unless nothing changed, and show the answers."""
    data = dict[str, Any](problem=state.problems().get("paint"))
    last = st.session_state.get("layer_last", {"mark": ""})
    try:
        data |= worker.run(_payload, spec())
        st.session_state["layer_last"] = data
        st.session_state["layer_ways"] = data["ways"]
    except BadInput as error:
        data = {**last, "problem": whole(str(error))}
    except Exception as error:
        data = {**last, "problem": state.unexpected(error)}
    data["seq"] = _edit().get("seq", 0)
    component(KEY)(key=KEY, data=data, on_edit_change=_edited)


def _edit() -> dict[str, Any]:
    return (st.session_state.get(KEY) or {}).get("edit") or {}


def _edited() -> None:
    """Cells that were pressed become a painted mask."""
    bits = _edit().get("bits")
    if isinstance(bits, str) and set(bits) <= {"0", "1"}:
        state.change("mask", mask=f'painted(hide="{patch_ranges(bits)}")')


def _payload(made: LayerMaskingSpec) -> dict[str, Any]:
    found = answers(made)
    first = found.each[0]
    return {
        "mark": repr(made),
        "shape": first.shown.shape[1] / first.shown.shape[0],
        "rows": found.grid.rows,
        "cols": found.grid.cols,
        "hidden": "".join("1" if each else "0" for each in found.hidden.ravel().tolist()),
        "answers": [_card(found, each, first) for each in found.each],
        "ways": [each.way for each in found.each[1:]],
        "labels": list(found.labels),
        "data": data_of(made.network, found.labels),
        "notes": list(found.notes),
    }


def _card(found: Answers, answer: Answer, first: Answer) -> dict[str, Any]:
    leading = np.argsort(-answer.probabilities, kind="stable")[1 : TOLD + 1]
    name = NAMES[answer.way]
    return {
        "way": answer.way,
        "name": name,
        "recipe": answer.recipe,
        "src": scenes.data_uri(answer.shown),
        "small": answer.shown.shape[0] < SMALL,
        "said": found.label(answer.said),
        "changed": answer.said != first.said,
        "confidence": f"{answer.confidence:.1%}",
        "entropy": f"{answer.entropy:.2f} bits",
        "top": [(found.label(int(at)), f"{answer.probabilities[at]:.1%}") for at in leading],
        "note": whole(answer.note) if answer.note else "",
        "empty": _empty(answer),
        "layers": [
            {
                "name": layer.name,
                "rows": layer.moved.shape[0],
                "cols": layer.moved.shape[1],
                "values": _packed(layer.moved),
                "told": _mean(layer.moved),
            }
            for layer in answer.layers
        ],
    }


def _empty(answer: Answer) -> str:
    """A warning where an answer rests on nothing."""
    if not answer.layers or np.isfinite(answer.layers[-1].moved).any():
        return ""
    return "Nothing visible reaches the last layer: this is said of no picture at all."


def _mean(moved: Any) -> str:
    kept = moved[np.isfinite(moved)]
    return f"mean {kept.mean():.2f}" if len(kept) else "nothing there"


def _packed(values: Any) -> str:
    """Float [h, w] in [0, 1] as base64 of bytes 0 to 254; 255 where there is nothing."""
    missing = np.isnan(values)
    scaled = np.rint(np.clip(np.where(missing, 0, values), 0, 1) * 254)
    return base64.b64encode(np.where(missing, 255, scaled).astype(np.uint8).tobytes()).decode()


def curves() -> None:
    """The button, and the curves that were measured last."""
    now = current()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        state.follow("layer_on", now.on)
        st.segmented_control(
            "Measured on", ["photo", "data"], key="layer_on", required=True,
            format_func={"photo": "This photo", "data": "Test pictures"}.__getitem__,
            on_change=_measured_on, help="Random removals of this photo, or pictures of the test "
            "part of the run's data; bundled photos, where the network is no run.",
        )  # fmt: skip
        state.follow("layer_count", now.count)
        st.number_input(
            "Pictures", FEWEST, MOST, key="layer_count", on_change=_measured_on, width=130
        )
        if st.button("Measure", type="primary", icon=":material/play_arrow:", key="measure"):
            _put(curves=True)
            running.restarted("curves", _asked(), partial(curve_steps, spec()))
    job = running.job_of("curves")
    if current().curves and (job is None or running.asked_of("curves") != _asked()):
        job = running.started("curves", _asked(), partial(curve_steps, spec()))
    known = [way for way in st.session_state.get("layer_ways", ()) if way != "hide_keys"]
    data = {
        "job": "" if job is None or running.asked_of("curves") != _asked() else job.mark,
        "ways": [(way, NAMES[way]) for way in known],
        "labels": st.session_state.get("layer_last", {}).get("labels", []),
        "choice": {"measure": current().measure},
        "seq": _chosen().get("seq", 0),
    }
    component("layercurves")(key="layercurves", data=data, on_choice_change=_measure_chosen)


def _asked() -> LayerMaskingSpec:
    """What decides the curves: without the mask, and without the photo where it plays no part."""
    plain = LayerMaskingSpec()
    bare = dataclasses.replace(spec(), mask=plain.mask)
    return bare if bare.on == "photo" else dataclasses.replace(bare, photo=plain.photo, fit="crop")


def _measured_on() -> None:
    _put(
        on=st.session_state["layer_on"], count=int(st.session_state["layer_count"]), curves=False
    )  # fmt: skip


def _chosen() -> dict[str, Any]:
    return (st.session_state.get("layercurves") or {}).get("choice") or {}


def _measure_chosen() -> None:
    if _chosen().get("measure") in MEASURES:
        _put(measure=_chosen()["measure"])


def leak() -> None:
    """The button of the leak test, and its answer."""
    if st.button("Does the shape give itself away?", icon=":material/shapes:", key="leak"):
        _put(leak=True)
        running.restarted("leak", _holes(), partial(leak_steps, spec()))
    job = running.job_of("leak")
    if current().leak and (job is None or running.asked_of("leak") != _holes()):
        job = running.started("leak", _holes(), partial(leak_steps, spec()))
    asked = job is not None and running.asked_of("leak") == _holes()
    component("shapeleak")(key="shapeleak", data={"job": job.mark if job and asked else ""})


def _holes() -> LayerMaskingSpec:
    now = current()
    return LayerMaskingSpec(network=now.network, policy=now.policy, filling=now.filling)


def share() -> None:
    """The link of this view, and the same in Python and as a command."""
    scene = state.spec().to_query()
    fields = {key: scene[key] for key in ("photo", "fit", "mask", "seed") if key in scene}
    made = spec()
    python = (
        "from workbench.scenes.layer_masking import answers\n"
        "from workbench.scenes.layer_masking_spec import LayerMaskingSpec\n\n"
        f"found = answers({made!r})\n"
        "for each in found.each:\n"
        "    print(each.way, found.label(each.said), each.confidence, each.entropy)\n"
    )
    data = {
        "query": urlencode({**fields, **current().to_query()}),
        "python": python,
        "command": _command(made),
    }
    component("link")(key="link", data=data)


def _command(made: LayerMaskingSpec) -> str:
    """The curves on the network's data, as a command."""
    known = st.session_state.get("layer_ways", ())
    if not known:
        return ""
    recipes = ways(made, "convnet" if "layer_mask" in known else "vit")
    recipes.pop("hide_keys", None)
    words = ["python", "-m", "workbench", "missingness", "--model"]
    words += [
        str(own_networks().get(made.network, made.network)),
        "--data",
        data_of(made.network, tuple(st.session_state["layer_last"]["labels"])),
    ]
    words += ["--remove-with", "; ".join(recipes.values()), "--order", "; ".join(ORDERS)]
    words += ["--shares", "; ".join(f"{each:g}" for each in SHARES), "--count", str(made.count)]
    last = st.session_state["layer_last"]
    words += ["--grid", f"{last['rows']}x{last['cols']}", "--seed", str(made.seed)]
    return shlex.join(words)
