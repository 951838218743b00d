"""What is explained, how, and what removed means: the controls, and the maps as they come."""

from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from app import running, state, worker
from app.attribution_steps import attribution_steps, title
from app.components.scripts import component
from app.knob_rows import declared_rows, plain, tuned, whole_number
from app.sentences import whole
from workbench.errors import BadInput
from workbench.explain.methods import METHODS
from workbench.explain.removal import INSIDE, removal
from workbench.fills import FILLS
from workbench.interventions import INTERVENTIONS
from workbench.scenes import SceneSpec
from workbench.scenes.attribution import Choices, choices
from workbench.scenes.attribution_spec import AttributionSpec, offered

KEY = "attribution"
SCENE = ("photo", "fit", "seed", "mask", "drawn_on")  # what the page's scene decides
TOP = "The class with the highest score"
NONE = "None"
ANSWERS = {"fp32": "Exact fp32", "bf16": "Quick bf16", "auto": "What pays"}


def current() -> AttributionSpec:
    """What this page shows beside the scene; the first call of a session reads the address."""
    if KEY not in st.session_state:
        found, wrong = linked(st.query_params.to_dict())
        st.session_state[KEY] = found
        for name, sentence in wrong.items():
            state.complain(name, sentence)
        st.session_state["attribution_mask"] = True if "mask" in st.query_params else None
    return st.session_state[KEY]


def linked(query: Mapping[str, str]) -> tuple[AttributionSpec, dict[str, str]]:
    """Read a link; what cannot be read is told and gives way to the default."""
    found, wrong = AttributionSpec(), dict[str, str]()
    for name, text in query.items():
        if name in SCENE:
            continue
        try:
            found = AttributionSpec.from_query(found.to_query() | {name: text})
        except BadInput as error:
            wrong["network" if name in ("network", "beside") else "attribution"] = whole(str(error))
    return found, wrong


def spec() -> AttributionSpec:
    """All that decides the maps."""
    scene = state.spec()
    masked = with_mask()
    return current().replace(
        photo=scene.photo, fit=scene.fit, seed=min(scene.seed, 2**31 - 1),
        mask=scene.mask if masked else "", drawn_on=scene.model,
    )  # fmt: skip


def with_mask() -> bool:
    """Whether the scene's mask is compared: as chosen, else if it was drawn before or linked."""
    current()
    chosen = st.session_state["attribution_mask"]
    return state.spec().mask != SceneSpec().mask if chosen is None else chosen


def offers() -> Choices | None:
    """What can be chosen for the network; None where it cannot be loaded."""
    try:
        return worker.run(choices, current().network)
    except BadInput as error:
        state.complain("network", str(error))
        return None


def choose_networks() -> None:
    """The network, and one beside it on the same scale."""
    labels, now = offered(), current()

    def called(name: str | None) -> str:
        return labels.get(name or "", name or "")

    state.follow("attribution_network", now.network)
    st.selectbox(
        "Network", list(labels), key="attribution_network", format_func=called,
        on_change=_chosen, args=("network",),
    )  # fmt: skip
    state.follow("attribution_beside", now.beside or NONE)
    st.selectbox(
        "Beside it, on the same scale", [NONE, *(name for name in labels if name != now.network)],
        key="attribution_beside", format_func=called, on_change=_chosen,
        args=("beside",),
    )  # fmt: skip
    state.show_problem("network")


def choose_target(found: Choices) -> None:
    """The class by name."""
    if not found.classes:
        st.caption(
            "This network knows no classes. What is explained is a likeness: how much of its "
            "features of the whole photo is kept when parts of it are removed."
        )
        return
    now, names = current().target, list(dict.fromkeys(found.classes))
    if now.isascii() and now.isdigit() and int(now) < len(found.classes):
        now = found.classes[int(now)]
    same = [name for name in names if name.lower() == now.lower()]
    value = same[0] if same else now or TOP
    state.follow("attribution_target", value)
    st.selectbox(
        "Class to explain", [TOP, *names] if value in (TOP, *names) else [TOP, value, *names],
        key="attribution_target", on_change=_chosen, args=("target",),
        help="Type to search by name. Every class counts, also the first one, number 0.",
    )  # fmt: skip


def choose_methods(found: Choices) -> None:
    """Several methods, the knobs of one of them, and what removed means."""
    now = current()
    state.follow("attribution_methods", list(now.methods))
    usual = {METHODS.parse(name).name: str(METHODS.parse(name)) for name in METHODS.names()}
    used = {METHODS.parse(each).name for each in now.methods}
    options = [*now.methods, *(recipe for name, recipe in usual.items() if name not in used)]
    st.multiselect(
        "Methods", options, key="attribution_methods", on_change=_methods_chosen,
        format_func=lambda recipe: _with_reason(title(recipe), found.methods.get(_name(recipe))),
        help="Choose several: their maps stand side by side on one colour scale.",
    )  # fmt: skip
    _knobs()
    removals = list(found.removals)
    state.follow("attribution_remove", _name(now.remove))
    st.selectbox(
        "Removed means", removals, key="attribution_remove", on_change=_chosen, args=("remove",),
        format_func=lambda name: _with_reason(plain(name), found.removals.get(name)),
        help="What stands where a part is taken away. Methods that only read gradients or "
        "attention remove nothing.",
    )  # fmt: skip
    _removal_knobs()
    state.follow("attribution_precision", now.precision)
    st.segmented_control(
        "Answers in", list(ANSWERS), key="attribution_precision", required=True,
        format_func=ANSWERS.__getitem__, on_change=_chosen, args=("precision",), width="stretch",
        help="Of methods that remove parts and ask again: bf16 is about twice as quick where the "
        "machine multiplies it, and less exact. Gradients and attention are always exact.",
    )  # fmt: skip
    reason = found.removals.get(_name(now.remove))
    if reason:
        st.caption(f":material/info: {plain(_name(now.remove))} is not possible here: {reason}.")
    state.show_problem("attribution")


def choose_judging(found: Choices) -> None:
    """Whether maps are judged and by what; the painted mask; how many pictures at a time."""
    now = current()
    state.follow("attribution_judge", now.judge)
    st.toggle(
        "Judge the maps", key="attribution_judge", on_change=_chosen, args=("judge",),
        help="Removes what each map names and sees how far the answer falls, beside a random map "
        "and a bump in the centre. Takes many more pictures.",
    )  # fmt: skip
    if now.judge:
        ways = [f"{name}()" for name, reason in found.removals.items() if not reason]
        state.follow("attribution_ways", list(now.ways))
        st.multiselect(
            "Removed by, while judging", [*dict.fromkeys((*now.ways, *ways))],
            key="attribution_ways", on_change=_chosen, args=("ways",),
            format_func=lambda recipe: plain(_name(recipe)),
            help="Take two or more: curves swing with how parts are removed.",
        )  # fmt: skip
        state.follow("attribution_draws", now.draws)
        st.number_input("Repetitions", 1, 20, key="attribution_draws", on_change=_chosen,
                        args=("draws",))  # fmt: skip
    state.follow("attribution_with_mask", with_mask())
    st.toggle(
        "Compare with my mask", key="attribution_with_mask", on_change=_mask_chosen,
        help=f"The mask of the first view, {state.spec().mask[:80]}: who points at the same "
        "patches?",
    )  # fmt: skip
    state.follow("attribution_batch", now.batch)
    st.number_input(
        "Pictures at a time", 1, 256, key="attribution_batch", on_change=_chosen, args=("batch",),
        help="Bounds the memory, however many pictures a method shows.",
    )  # fmt: skip


def _with_reason(text: str, reason: str | None) -> str:
    return f"{text} – {reason}" if reason else text


def _name(recipe: str) -> str:
    return recipe.partition("(")[0]


def _knobs() -> None:
    """The knobs of each chosen method that has any, folded away."""
    for recipe in current().methods:
        method = METHODS.parse(recipe)
        rows = declared_rows(method, f"attribution.{method.name}", state.problems())
        if not rows:
            continue
        key = f"attribution-knobs-{method.name}"
        with st.expander(f"Settings of {title(f'{method.name}()')}"):
            edit = (st.session_state.get(key) or {}).get("edit") or {}
            component("knobs")(
                key=key, data={"owner": method.name, "knobs": rows, "seq": edit.get("seq", 0)},
                on_edit_change=partial(_tuned, key, recipe),
            )  # fmt: skip


def _removal_knobs() -> None:
    """The knobs of what removed means, of those that are the user's affair."""
    operator = removal(current().remove).operator
    rows = declared_rows(operator, "attribution.remove", state.problems())
    rows = [row for row in rows if row["name"] not in ("mask", "seed", "layer")]
    if not rows:
        return
    key = f"attribution-remove-{operator.name}"
    with st.expander(f"Settings of {plain(operator.name).lower()}"):
        edit = (st.session_state.get(key) or {}).get("edit") or {}
        component("knobs")(
            key=key, data={"owner": operator.name, "knobs": rows, "seq": edit.get("seq", 0)},
            on_edit_change=partial(_removal_tuned, key),
        )  # fmt: skip


def _removal_tuned(key: str) -> None:
    edit = (st.session_state.get(key) or {}).get("edit") or {}
    operator = removal(current().remove).operator
    if edit.get("owner") != operator.name:
        return

    def complain(knob: str, sentence: str) -> None:
        state.complain(f"attribution.remove.{knob}", sentence)

    _settle()
    registry: Any = INTERVENTIONS if operator.name in INSIDE else FILLS
    made = tuned(registry, operator, edit.get("values", {}), complain)
    if made is not None:
        _put(remove=made)


def _settle() -> None:
    for name in [each for each in state.problems() if each.startswith("attribution")]:
        state.settle(name)


def _tuned(key: str, recipe: str) -> None:
    edit = (st.session_state.get(key) or {}).get("edit") or {}
    now, method = current(), METHODS.parse(recipe)
    at = [METHODS.parse(each).name for each in now.methods].index(method.name)
    values = {name: whole_number(value) for name, value in edit.get("values", {}).items()}

    def complain(knob: str, sentence: str) -> None:
        state.complain(f"attribution.{method.name}.{knob}", sentence)

    _settle()
    made = tuned(METHODS, METHODS.parse(now.methods[at]), values, complain)
    if made is not None:
        _put(methods=(*now.methods[:at], made, *now.methods[at + 1 :]))


def _put(**fields: Any) -> None:
    try:
        st.session_state[KEY] = current().replace(**fields)
        state.settle("attribution")
    except BadInput as error:
        state.complain("attribution", str(error))


def _chosen(field: str) -> None:
    value: Any = st.session_state[f"attribution_{field}"]
    if field == "target":
        value = "" if value == TOP else _numbered(value)
    if field == "beside":
        value = "" if value == NONE else value
    if field == "ways":
        value = tuple(value)
    if field == "network":
        state.settle("network")
        _put(network=value, target="")
        return
    _put(**{field: value})


def _numbered(name: str) -> str:
    """A class by name; a name that is a number gives way to its place, which numbers mean."""
    found = offers()
    if name.strip().lstrip("-").isdigit() and found is not None and name in found.classes:
        return str(found.classes.index(name))
    return name


def _methods_chosen() -> None:
    _put(methods=tuple(st.session_state["attribution_methods"]))


def _mask_chosen() -> None:
    st.session_state["attribution_mask"] = st.session_state["attribution_with_mask"]


def draw() -> None:
    """Start what is asked for, unless it runs or is made already, and show it."""
    made = spec()
    turn = st.session_state.get("attribution_turn", 0)
    job = running.started(KEY, (made, turn), partial(attribution_steps, made))
    data = {
        "job": job.mark,
        "mark": repr(made),
        "methods": list(made.methods),
        "titles": [title(each) for each in made.methods],
        "networks": list(made.networks),
        "target": made.target,
        "judge": made.judge,
        "view": _view(),
    }
    component(KEY)(key=KEY + "-maps", data=data, on_choice_change=_pressed)


VIEW = {"scale": ("own", "raw"), "grain": ("fine", "cells")}


def _view() -> dict[str, Any]:
    """How maps are shown: kept apart, because it computes nothing."""
    if "attribution_view" not in st.session_state:
        query = st.query_params.to_dict()
        found = {k: query[k] if query.get(k) in v else v[0] for k, v in VIEW.items()}
        only = query.get("only", "")
        st.session_state["attribution_view"] = {**found, "only": only[:300], "seq": 0}
    return st.session_state["attribution_view"]


def _pressed() -> None:
    told = (st.session_state.get(KEY + "-maps") or {}).get("choice") or {}
    view = {k: told[k] if told.get(k) in v else _view()[k] for k, v in VIEW.items()}
    only, seq = told.get("only"), told.get("seq")
    st.session_state["attribution_view"] = {
        **view, "only": only[:300] if isinstance(only, str) else "",
        "seq": seq if type(seq) is int else 0,
    }  # fmt: skip
    if type(told.get("again")) is str and told["again"]:
        st.session_state["attribution_turn"] = told["again"][:40]  # the job of this name, anew
    if isinstance(told.get("target"), str) and told["target"] != current().target:
        _put(target=told["target"][:200])
    if type(told.get("judge")) is bool and told["judge"] != current().judge:
        _put(judge=told["judge"])


def share() -> None:
    """The link of this view, and the same in Python and as a command."""
    scene, made, view = state.spec().to_query(), spec(), _view()
    if not with_mask():
        scene.pop("mask", None)
    usual = {name: each[0] for name, each in VIEW.items()} | {"only": ""}
    looks = {name: view[name] for name in usual if view[name] != usual[name]}
    own = {name: text for name, text in made.to_query().items() if name not in SCENE}
    fields = {name: scene[name] for name in ("photo", "fit", "mask", "model", "seed")
              if name in scene}  # fmt: skip
    if with_mask():
        fields["mask"] = state.spec().mask
    data = {
        "query": urlencode({**fields, **own, **looks}),
        "python": made.python(),
        "command": made.commands(),
    }
    component("link")(key="link", data=data)
