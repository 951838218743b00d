"""Several models on one scene: what is chosen, and what the browser needs to show it."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app import state, worker
from app.components.scripts import component
from app.payloads import counted, shown
from workbench import scenes
from workbench.errors import BadInput
from workbench.models import list_models
from workbench.plots.difference import ABSOLUTE, SIGNED, TOP, difference_map
from workbench.scenes import Scene, SceneSpec
from workbench.scenes.models import MOST, Entry, beside, difference, grid_note

KEY = "compare"
CHOICES = {
    "look": ("beside", "difference", "blink", "wipe"),
    "picture": ("composite", "reconstruction"),
    "scale": ("signed", "absolute"),
    "range": ("fixed", "own"),
}


@dataclass(frozen=True)
class Compared:
    """What the page compares and how; its fields are query parameters beside the scene's."""

    models: tuple[str, ...]
    pair: tuple[str, ...] = ()
    look: str = "beside"
    picture: str = "composite"
    scale: str = "signed"
    range: str = "fixed"

    def to_query(self) -> dict[str, str]:
        """The models, and what differs from the defaults."""
        query = {"models": ",".join(self.models)}
        if self.pair and self.pair != self.models[:2]:
            query["pair"] = ",".join(self.pair)
        rest = {name: getattr(self, name) for name in CHOICES}
        return query | {name: text for name, text in rest.items() if text != CHOICES[name][0]}


def current() -> Compared:
    """What this page compares; the first call of a session reads it from the address."""
    if "compared" not in st.session_state:
        st.session_state["compared"] = linked(st.query_params.to_dict())
    return st.session_state["compared"]


def linked(query: Mapping[str, str]) -> Compared:
    """Read a link; what cannot be read is told and gives way to the default."""
    known = [info.name for info in list_models()]
    wanted = list(dict.fromkeys(query.get("models", "").split(","))) if "models" in query else []
    strange = [name for name in wanted if name not in known]
    named = [name for name in wanted if name in known][:MOST]
    if strange:
        names = ", ".join(known)
        state.complain("models", f"No model here is called {', '.join(strange)}; take of: {names}.")
    if not named:
        own = state.spec().model
        named = [own, *(name for name in known if name != own)][:2]
    values = {name: query[name] for name in CHOICES if query.get(name) in CHOICES[name]}
    pair = tuple(query.get("pair", "").split(","))
    fits = len(set(pair)) == 2 and all(name in named for name in pair)
    return Compared(tuple(named), pair if fits else (), **values)


def choose() -> None:
    """The menu of models."""
    labels = {info.name: info.label for info in list_models()}
    names = list(labels)
    names += [name for name in current().models if name not in names]
    state.follow("compared_models", list(current().models))
    st.multiselect(
        "Models", names, key="compared_models", max_selections=MOST, on_change=_models_chosen,
        placeholder=f"Choose 2 to {MOST}", format_func=lambda name: labels.get(name, name),
    )  # fmt: skip
    state.show_problem("models")


def _models_chosen() -> None:
    names = tuple(st.session_state["compared_models"])
    if not names:
        state.complain("models", f"no model is chosen, but 2 to {MOST} are compared; choose some")
        return
    state.settle("models")
    pair = current().pair if set(current().pair) <= set(names) else ()
    st.session_state["compared"] = dataclasses.replace(current(), models=names, pair=pair)


def draw() -> None:
    """Run the models, unless nothing changed, and show them."""
    spec, chosen = state.spec(), current()
    data: dict[str, Any] = {"problem": None}
    try:
        data |= worker.run(_payload, spec, chosen, _kept(spec, chosen))
    except BadInput as error:
        data |= {**st.session_state.get("compare_last", _nothing()), "problem": str(error)}
    except Exception as error:
        last = st.session_state.get("compare_last", _nothing())
        data |= {**last, "problem": state.unexpected(error)}
    st.session_state["compare_last"] = data
    pair = chosen.pair or chosen.models[:2]
    data["choice"] = {**dataclasses.asdict(chosen), "pair": pair, "seq": _choice().get("seq", 0)}
    component("compare")(key=KEY, data=data, on_choice_change=_chosen)


def _nothing() -> dict[str, Any]:
    return {"mark": "", "shape": 1, "models": [], "given": [], "note": "", "difference": None}


def _kept(spec: SceneSpec, chosen: Compared) -> dict[str, Any]:
    """What was made for these models and this scene, so that another look makes nothing anew."""
    mark = (spec, chosen.models)
    kept = st.session_state.get("compare_kept")
    if kept is None or kept["mark"] != mark:
        kept = st.session_state["compare_kept"] = {"mark": mark}
    return kept


def _choice() -> dict[str, Any]:
    return (st.session_state.get(KEY) or {}).get("choice") or {}


def _chosen() -> None:
    told, now = _choice(), current()
    values = {name: told[name] for name in CHOICES if told.get(name) in CHOICES[name]}
    pair = tuple(told.get("pair") or ())
    fits = len(set(pair)) == 2 and all(name in now.models for name in pair)
    st.session_state["compared"] = dataclasses.replace(
        now, pair=pair if fits else now.pair, **values
    )


def _payload(spec: SceneSpec, chosen: Compared, kept: dict[str, Any]) -> dict[str, Any]:
    if "entries" not in kept:
        kept["entries"] = beside(spec, chosen.models)
        kept["data"] = _shown(kept["entries"])
    return {
        **kept["data"],
        "mark": repr((spec, chosen)),
        "difference": _difference(kept["entries"], chosen),
    }


def _shown(entries: tuple[Entry, ...]) -> dict[str, Any]:
    made = [entry.scene for entry in entries if entry.scene is not None]
    largest = max(made, key=lambda scene: len(scene.photo), default=None)
    shape = 1.0 if largest is None else largest.photo.shape[1] / largest.photo.shape[0]
    best = _best(made)
    return {
        "shape": shape,
        "given": [] if largest is None else _given(made, largest),
        "models": [_model(entry, best) for entry in entries],
        "note": grid_note(entries),
    }


def _best(made: list[Scene]) -> str:
    """The model of the lowest error, where the same pixels were hidden from all; else nobody."""
    if len(made) < 2 or len({scene.grid for scene in made}) > 1:
        return ""
    return min(made, key=lambda scene: scene.metrics.mse or 0.0).spec.model


def _given(made: list[Scene], largest: Scene) -> list[dict[str, str]]:
    """The photo, and what each grid hides of it."""
    tiles = [{"caption": "Original", "detail": "", "src": scenes.data_uri(largest.photo)}]
    seen = {(scene.grid, scene.photo.shape): scene for scene in reversed(made)}
    for scene in reversed(list(seen.values())):
        detail = f"{scene.card.hidden} of {scene.card.total} patches hidden"
        caption = "Masked" if len(seen) == 1 else f"Masked for {scene.spec.model}"
        tiles.append({"caption": caption, "detail": detail, "src": scenes.data_uri(scene.masked)})
    return tiles


def _model(entry: Entry, best: str) -> dict[str, Any]:
    if entry.scene is None:
        return {"name": entry.name, "problem": entry.problem}
    scene, metrics = entry.scene, entry.scene.metrics
    grid, card = scene.grid, scene.card
    return {
        "name": entry.name,
        "problem": "",
        "detail": f"{grid.rows} × {grid.cols} patches of {grid.patch} px",
        "pictures": {
            name: scenes.data_uri(getattr(scene, name)) for name in CHOICES["picture"]
        },
        "numbers": [
            ("MSE", shown(metrics.mse, 4) + (" (lowest)" if entry.name == best else "")),
            ("PSNR", f"{shown(metrics.psnr_db, 2)} dB"),
            ("SSIM", shown(metrics.ssim, 3)),
            ("hidden", f"{card.hidden}/{card.total}, {counted(metrics.pixels)} px"),
            ("time", f"{scene.milliseconds:.0f} ms, {scene.precision}"),
        ],
        "best": entry.name == best,
        "notes": list(scene.notes),
    }  # fmt: skip


def _difference(entries: tuple[Entry, ...], chosen: Compared) -> dict[str, Any] | None:
    made = {entry.name: entry.scene for entry in entries if entry.scene is not None}
    pair = [name for name in chosen.pair if name in made]
    pair = pair if len(pair) == 2 else list(made)[:2]
    if chosen.look != "difference" or len(pair) < 2:
        return None
    first, second = pair
    picture = "composite" if chosen.picture == "composite" else "reconstruction"
    try:
        found = difference(made[first], made[second], picture)
    except BadInput as error:
        return {"problem": str(error)}
    signed = chosen.scale == "signed"
    values = found.signed if signed else found.absolute
    top = TOP if chosen.range == "fixed" else max(float(abs(values).max()), 1e-6)
    beyond = "≥ " if chosen.range == "fixed" else ""
    low, high = (f"−{top:.2g}", f"{beyond}+{top:.2g}") if signed else ("0", f"{beyond}{top:.2g}")
    words = "No pixel is hidden from both models."
    if found.mean is not None and found.largest is not None and found.closer is not None:
        words = (
            f"Absolute difference on {counted(found.pixels)} pixels hidden from both: mean "
            f"{found.mean:.4f}, largest {found.largest:.3f} (RGB in 0 to 1). {second} is nearer to "
            f"the photo on {found.closer:.0%} of them. {found.note}"
        )
    return {
        "problem": "",
        "picture": scenes.data_uri(difference_map(values, top, signed), quality=95),
        "ends": [low, high],
        "sense": [f"{name} brighter" for name in pair] if signed else ["alike", "far apart"],
        "stops": [f"rgb{stop}" for stop in (SIGNED if signed else ABSOLUTE)],
        "words": words.strip(),
    }
