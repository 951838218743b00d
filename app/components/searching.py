"""A search: its settings, its start, and how it goes."""

import shlex
from functools import partial
from typing import Any

import streamlit as st

from app import running, state
from app.components.scripts import component
from app.knob_rows import declared_rows, plain, tuned, whole_number
from app.steps import search_steps
from workbench.errors import BadInput
from workbench.scenes.searches import SEARCHES, Search

KEY = "search"
EDITED = "search-knobs"


def current() -> Search:
    """The search of this page; the first call of a session reads it from the address."""
    if KEY not in st.session_state:
        st.session_state[KEY] = SEARCHES.parse("worst_mask")
        linked = st.query_params.get("search")
        if linked is not None:
            try:
                st.session_state[KEY] = SEARCHES.parse(linked)
            except BadInput as error:
                state.complain("search", str(error))
    return st.session_state[KEY]


def controls() -> None:
    """Which search, and its knobs."""
    found = current()
    state.follow("search_kind", found.name)
    st.segmented_control(
        "Look for", SEARCHES.names()[::-1], format_func=plain, key="search_kind", required=True,
        on_change=_kind_chosen, width="stretch",
    )  # fmt: skip
    rows = declared_rows(found, "search", state.problems())
    for row in rows:
        if row["name"] == "seed":
            row["kind"] = "seed"  # a number to roll, not a slider to 2 ** 62
    component("knobs")(
        key=EDITED,
        data={"owner": found.name, "knobs": rows, "seq": _edit().get("seq", 0)},
        on_edit_change=_edited,
    )
    state.show_problem("search")


def _edit() -> dict[str, Any]:
    return (st.session_state.get(EDITED) or {}).get("edit") or {}


def _kind_chosen() -> None:
    state.settle("search")
    st.session_state[KEY] = SEARCHES.get(st.session_state["search_kind"])()


def _edited() -> None:
    edit, found = _edit(), current()
    if edit.get("owner") != found.name:
        return
    for name in [name for name in state.problems() if name.split(".")[0] == "search"]:
        state.settle(name)

    def complain(knob: str, sentence: str) -> None:
        state.complain(f"search.{knob}" if knob else "search", sentence)

    values = {name: whole_number(value) for name, value in edit.get("values", {}).items()}
    recipe = tuned(SEARCHES, found, values, complain)
    if recipe is not None:
        st.session_state[KEY] = SEARCHES.parse(recipe)


def draw() -> None:
    """The button, and the search that was started last."""
    found = current()
    asked = (state.spec().replace(mask=_any_mask()), found)
    job = running.job_of("search")
    busy = job is not None and not job.over
    label = "Start again" if job is not None else "Start"
    if st.button(label, type="primary", icon=":material/play_arrow:", key="start"):
        spec, recipe = asked
        job = running.restarted("search", asked, partial(search_steps, spec, recipe))
        busy = True
    shown = running.asked_of("search")
    if job is not None and shown is not None and shown != asked:
        told = "runs" if busy else "ran"
        st.caption(
            f"Below {told} {shown[1]} on {shown[0].photo}; press the button for the new one."
        )
    looked_for: Search = found if shown is None else shown[1]
    data = {
        "job": "" if job is None else job.mark,
        "axes": list(looked_for.axes),
        "aim": getattr(looked_for, "aim", None),
        "step": looked_for.axes[0] == "masks tried",
        "hint": "Start tries masks one after the other; the best so far, its picture and a curve "
        "of its error appear here. It runs in small steps: other pages keep their speed, and it "
        "ends when it is cancelled or this page is closed.",
    }
    component("search")(key="found", data=data)


def _any_mask() -> str:
    """The scene's own mask plays no part in a search."""
    return "random(ratio=0.75)"


def python() -> str:
    """Lines of Python that run the same search."""
    spec = state.spec().replace(mask=_any_mask())
    return (
        "from workbench.scenes import SceneSpec, compose\n"
        "from workbench.scenes.searches import SEARCHES, watched\n\n"
        f"search = SEARCHES.parse({str(current())!r})\n"
        f"*_, found = watched({spec!r}, search)\n"
        "print(found.spec.mask, compose(found.spec).metrics)\n"
    )


def command() -> str:
    """The command that runs the same search."""
    query = state.spec().replace(mask=_any_mask()).to_query()
    words = ["python", "-m", "workbench", "search", str(current()), state.spec().photo]
    for name in ("fit", "model", "precision", "device"):
        if name in query:
            words += [f"--{name}", query[name]]
    return shlex.join([*words, "--out", "search"])
