"""Features of a block: what they are learnt from, the list, and one of them large."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from app import running, state, worker
from app.components.scripts import component
from app.feature_steps import learn_steps, packed
from app.knob_rows import network_label
from app.sentences import whole
from workbench import scenes
from workbench.data import uploads
from workbench.data.samples import photos
from workbench.errors import BadInput
from workbench.scenes.features import Seen, look, study_of, told
from workbench.scenes.features_sets import PHOTOS, SETS, set_of, set_recipe, sets_here
from workbench.scenes.features_spec import BOUNDS, FeaturesSpec
from workbench.scenes.inside import network
from workbench.scenes.inside_spec import listed

KEY = "features"
SCENE = ("photo", "fit", "seed", "mask", "fill")  # what the page's scene decides
ORDERS = {
    "telling": "Telling", "often": "Often used", "photo": "On my photo", "mask": "By my mask",
}  # fmt: skip
NAMES = {PHOTOS: "Crops of bundled photos", "chosen": "Crops of pictures I choose",
         "digits": "Handwritten digits", "cifar10": "CIFAR-10"}  # fmt: skip


@dataclass(frozen=True)
class Looking:
    """What this page shows, and what was asked to be made, so that a link asks again."""

    spec: FeaturesSpec
    learnt: bool = False
    ranked: bool = False
    faceted: bool = False

    def to_query(self) -> dict[str, str]:
        """What differs from the defaults."""
        flags = {name: "1" for name in FLAGS if getattr(self, name)}
        return {**self.spec.to_query(), **flags}


FLAGS = ("learnt", "ranked", "faceted")


def current() -> Looking:
    """What this page shows; the first call of a session reads it from the address."""
    if "features_looking" not in st.session_state:
        st.session_state["features_looking"] = linked(st.query_params.to_dict())
    now: Looking = st.session_state["features_looking"]
    scene = state.spec()
    given = {name: getattr(scene, name) for name in SCENE}
    given["seed"] = min(scene.seed, BOUNDS["seed"][1])
    return dataclasses.replace(now, spec=now.spec.replace(**given))


def linked(query: Mapping[str, str]) -> Looking:
    """Read a link; what cannot be read is told and gives way to the default."""
    found, wrong = FeaturesSpec(), list[str]()
    for name, text in query.items():
        if name in SCENE:
            continue
        try:
            found = FeaturesSpec.from_query(found.to_query() | {name: text})
        except BadInput as error:
            if name == "network":
                state.complain("network", str(error))
            else:
                wrong.append(whole(str(error)))
    if wrong:
        state.complain("features", " ".join(wrong))
    return Looking(found, **{name: query.get(name) == "1" for name in FLAGS})


def put(**fields: Any) -> None:
    """Change what was asked for."""
    st.session_state["features_looking"] = dataclasses.replace(current(), **fields)


def respec(**fields: Any) -> None:
    """Change the spec; another code forgets what was learnt, and another unit its facets."""
    now = current()
    try:
        spec = now.spec.replace(**fields)
    except BadInput as error:
        state.complain("features", str(error))
        return
    state.settle("features")
    if spec.learnt != now.spec.learnt:
        put(spec=spec.replace(latent=-1), learnt=False, faceted=False)
    else:
        put(spec=spec)


def blocks() -> tuple[int, int]:
    """Blocks of the network and its patches; 0 where it cannot be loaded."""
    try:
        found = worker.run(network, current().spec.network)
        worker.run(found.check_layer, 0)
    except BadInput as error:
        state.complain("network", str(error))
        return 0, 0
    spec = current().spec
    if spec.layer >= found.depth:
        put(spec=spec.replace(layer=found.depth // 2))
    return found.depth, found.grid.size


def choose_network(depth: int) -> None:
    """The network and the block."""
    spec = current().spec
    state.follow("features_network", spec.network)
    st.selectbox(
        "Network", listed(), key="features_network", on_change=_network_chosen,
        format_func=network_label,
    )  # fmt: skip
    state.show_problem("network")
    if depth:
        state.follow("features_layer", spec.layer)
        st.slider(
            "After block", 0, max(1, depth - 1), key="features_layer", on_change=_changed,
            args=("layer",), help="Early blocks hold colours and edges, late ones what things are.",
        )  # fmt: skip


def _network_chosen() -> None:
    state.settle("network")
    put(ranked=False)
    respec(network=st.session_state["features_network"], unit="")


def _changed(field: str) -> None:
    respec(**{field: st.session_state[f"features_{field}"]})


def choose_pictures() -> None:
    """Which set of pictures, and how many of it."""
    spec = current().spec
    here, (chosen, names) = sets_here(), set_of(spec.data)
    state.follow("features_set", chosen)
    st.selectbox(
        "Learnt from", [name for name in SETS if name in here or name == chosen],
        key="features_set", format_func=NAMES.__getitem__, on_change=_set_chosen,
        help="CIFAR-10 is offered where a copy of it is found. Upload pictures below, one after "
        "another, and choose them here.",
    )  # fmt: skip
    if chosen == "chosen":
        mine = {name: f"Your upload {at}" for at, name in enumerate(_uploads(names), 1)}
        titles = mine | {info.name: info.title for info in photos()}
        state.follow("features_names", list(names))
        st.multiselect(
            "Pictures", list(titles), key="features_names", on_change=_set_chosen,
            format_func=lambda name: titles.get(str(name), str(name)),
        )  # fmt: skip
    state.follow("features_count", spec.count)
    st.number_input(
        "How many pictures", *BOUNDS["count"], step=10, key="features_count",
        on_change=_set_chosen,
    )  # fmt: skip
    state.show_problem("features")


def _uploads(named: tuple[str, ...]) -> list[str]:
    mine = list(st.session_state.get("uploads", []))
    return [*mine, *(each for each in named if uploads.is_upload(each) and each not in mine)]


def _set_chosen() -> None:
    count = int(st.session_state["features_count"])
    names = tuple(st.session_state.get("features_names") or _uploads(()) or [state.spec().photo])
    chosen = st.session_state["features_set"]
    respec(data=set_recipe(chosen, count, names), count=count)


def choose_training() -> None:
    """How the code is trained, folded away."""
    spec = current().spec
    with st.expander("Settings of the training"):
        for name, label in (
            ("expansion", "Features for each number of a token"),
            ("active", "Features at a time, at most"),
            ("steps", "Updates"),
            ("draw", "Seed of pictures and training"),
        ):
            state.follow(f"features_{name}", getattr(spec, name))
            st.number_input(
                label, *BOUNDS[name], key=f"features_{name}", on_change=_changed, args=(name,),
                disabled=name == "active" and spec.rule == "l1",
            )  # fmt: skip
        state.follow("features_rule", spec.rule)
        st.segmented_control(
            "Few at a time by", ["topk", "l1"], key="features_rule", required=True,
            format_func={"topk": "the largest", "l1": "a penalty"}.__getitem__,
            on_change=_changed, args=("rule",), width="stretch",
        )  # fmt: skip


def learn(depth: int) -> None:
    """The button that starts; of no use where the network has no blocks."""
    now = current()
    done = study_of(now.spec) is not None
    words = "Learn again" if done else "Learn the features"
    kind = "secondary" if done else "primary"
    if st.button(words, type=kind, icon=":material/neurology:", disabled=not depth):
        put(learnt=True)
        running.restarted(KEY, now.spec.learnt, partial(learn_steps, now.spec))


def draw() -> None:
    """The features in order, one of them large, on the photo and on its masked version."""
    now, job = current(), None
    kept = study_of(now.spec) is not None and running.asked_of(KEY) != now.spec.learnt
    if now.learnt and not kept and "network" not in state.problems():
        job = running.started(KEY, now.spec.learnt, partial(learn_steps, now.spec))
    study = study_of(now.spec) if now.learnt else None
    if job is not None and job.state == "done" and study is None:  # others learnt since, or weights
        put(learnt=False)
        job = None
    data: dict[str, Any] = {
        "job": "" if job is None else job.mark,
        "hint": "A sparse autoencoder writes every patch after a block as a sum of a few features "
        "of many. Press the button: it is trained here, in less than half a minute.",
        "choice": {"order": now.spec.order, "latent": now.spec.latent, "seq": _choice("seq", 0)},
        "orders": list(ORDERS.items()),
        "said": "",
    }
    if study is not None:
        data = _looked(now.spec, study, data)
    component(KEY)(key=KEY, data=data, on_choice_change=_chosen, on_ready_change=_ready)


def _looked(spec: FeaturesSpec, study: Any, data: dict[str, Any]) -> dict[str, Any]:
    """The data with what is seen; where that cannot be made, with what was seen last, and why."""
    try:
        made = {**data, **worker.run(_payload, spec, study)}
    except BadInput as error:
        problem = whole(str(error))
    except Exception as error:
        problem = state.unexpected(error)
    else:
        st.session_state["features_last"] = made
        st.session_state["features_first"] = made["features"][0]["latent"]
        return made
    last = st.session_state.get("features_last", data)
    return {**last, "job": data["job"], "choice": data["choice"], "problem": problem}


def _payload(spec: FeaturesSpec, study: Any) -> dict[str, Any]:
    seen = look(spec, study)
    asked = {name: text for name, text in spec.to_query().items() if name in OF_PICTURES}
    return {
        "mark": repr(spec),
        "said": told(study),
        "pictures": f"/api/feature?{urlencode(asked)}",
        "names": study.names,
        "rows": study.grid[0],
        "cols": study.grid[1],
        "shape": seen.photo.shape[1] / seen.photo.shape[0],
        "photo": scenes.data_uri(seen.photo),
        "masked": scenes.data_uri(seen.masked),
        "hidden": f"{seen.hidden} of {seen.patches} patches hidden by {spec.mask}",
        "report": study.report(),
        "features": _rows(seen),
    }


OF_PICTURES = ("network", "data", "count", "draw")


def _rows(seen: Seen) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for each in seen.features:
        top = max([*each.peaks, float(each.maps.max(initial=0))])
        found.append({
            "latent": each.latent, "rate": f"{each.rate:.1%}", "share": each.rate,
            "rows": list(each.rows), "maps": packed(each.maps, top), "top": top,
            "here": packed(each.here, top), "peaks": list(each.peaks),
        })  # fmt: skip
    return found


def _choice(name: str, default: Any) -> Any:
    told = (st.session_state.get(KEY) or {}).get("choice") or {}
    return told.get(name, default)


def unit() -> FeaturesSpec:
    """The spec with the feature that is seen large named by its number."""
    spec = current().spec
    first = st.session_state.get("features_first", -1)
    return spec.replace(latent=first) if spec.latent < 0 else spec


def _chosen() -> None:
    order, latent = _choice("order", ""), _choice("latent", -1)
    if order in ORDERS and type(latent) is int:
        if latent != current().spec.latent and not current().spec.unit:
            put(faceted=False)
        respec(order=order, latent=max(-1, min(latent, BOUNDS["latent"][1])))


def _ready() -> None:
    """A rerun is all that the end of the work is for: what was learnt is shown."""
