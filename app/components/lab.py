"""The mask lab's controls and panels: which policies, on which grid, and what they do."""

from functools import cache, partial
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from app import lab_payload, state, worker
from app.components.scripts import component
from app.knob_rows import carried, mask_rows, strategy_label, tuned, whole_number
from app.sentences import whole
from app.warm import warmer
from workbench import scenes
from workbench.errors import BadInput
from workbench.masks import MASKS
from workbench.scenes.lab import BESIDE, DRAWS, GRIDS, MOST, LabSpec, same_ratio

KEY = "lab-knobs"
LOADING = "The model is being loaded, once; the measures above do not need it."
DRAW_CHOICES = (100, 1_000, DRAWS, 20_000)
OFFERED = ("block", "color_noise", "grid", "units", "multi_block")
GRID_NAMES = {"14x14": "14 × 14", "16x16": "16 × 16", "8x14x14": "Clip: 8 × 14 × 14"}


def current() -> LabSpec:
    """What this page's lab shows; the first call of a session reads it from the address."""
    scene = state.spec()
    if "lab" not in st.session_state:
        st.session_state["lab"] = linked(st.query_params.to_dict(), scene)
    found: LabSpec = st.session_state["lab"]
    return found if found.scene == scene else found.replace(scene=scene)


def linked(query: dict[str, str], scene: scenes.SceneSpec) -> LabSpec:
    """The lab of a link; a parameter that cannot be read is told and leaves the others."""
    found, wrong, taken = LabSpec(scene=scene, policies=(scene.mask,)), list[str](), {}
    for name in (*BESIDE, "grid", "draws", "cell"):
        if name not in query:
            continue
        try:
            found = LabSpec.from_query({**taken, name: query[name]}, scene)
            taken[name] = query[name]
        except BadInput as error:
            wrong.append(whole(str(error)))
    if wrong:
        state.complain("lab", " ".join(wrong))
    return found


def change(where: str, **fields: object) -> bool:
    """Replace fields of the lab; on bad input keep them and note the sentence beside `where`."""
    try:
        st.session_state["lab"] = current().replace(**fields)
    except BadInput as error:
        state.complain(where, str(error))
        return False
    state.settle(where)
    state.settle("lab")
    return True


def chosen() -> int:
    """The number of the policy whose knobs and measures are shown."""
    return min(st.session_state.get("lab_at", 0), len(current().policies) - 1)


def controls() -> None:
    """The strategy with its knobs, then the grid and the number of draws."""
    spec, at = current(), chosen()
    strategy = MASKS.parse(spec.policies[at])
    state.follow("lab_strategy", strategy.name)
    many = len(spec.policies) > 1
    st.selectbox(
        f"Strategy of policy {at + 1}" if many else "Mask strategy", MASKS.names(),
        key="lab_strategy", format_func=strategy_label, on_change=_strategy,
        help=_summaries()[strategy.name],
    )  # fmt: skip
    if spec.scene.mask not in spec.policies:
        st.button(
            "Take the first view's mask", key="lab_take", on_click=_take, width="stretch",
            help=spec.scene.mask,
        )  # fmt: skip
    rows = mask_rows(strategy, spec.scene.seed, None, state.problems())[:-1]
    owner = f"{at}:{strategy.name}"
    component("knobs")(
        key=KEY,
        data={"owner": owner, "knobs": rows, "seq": _edit().get("seq", 0)},
        on_edit_change=lambda: _edited(owner),
    )
    state.show_problem("mask")
    if many:
        st.toggle("Same ratio for all", key="lab_same", value=True, on_change=_same)
    _choices(spec)


@cache
def _summaries() -> dict[str, str]:
    return {row["name"]: row["summary"] for row in MASKS.describe()}


def _choices(spec: LabSpec) -> None:
    grids = [*GRIDS, *([spec.grid] if spec.grid not in GRIDS else [])]
    draws = sorted({*DRAW_CHOICES, spec.draws})
    state.follow("lab_grid", spec.grid)
    state.follow("lab_draws", spec.draws)
    left, right = st.columns([3, 2])
    left.selectbox(
        "Grid", grids, key="lab_grid", format_func=partial(_grid_name, spec), on_change=_grid,
        help="Where masks are measured. Pictures below always take the model's own patches.",
    )  # fmt: skip
    right.selectbox(
        "Draws", draws, key="lab_draws", format_func=lambda count: f"{count:,}", on_change=_draws
    )
    state.show_problem("lab")


def _grid_name(spec: LabSpec, name: str) -> str:
    if name not in ("model", "spectrum"):
        return GRID_NAMES.get(name, name.replace("x", " × "))
    grid = scenes.grid_of(spec.scene)
    if name == "model":
        return f"The model's: {grid.rows} × {grid.cols}"
    return f"Spectrum: {grid.pixels[0]} × {grid.pixels[1]}"


def _edit() -> dict[str, Any]:
    return (st.session_state.get(KEY) or {}).get("edit") or {}


def _strategy() -> None:
    spec, at = current(), chosen()
    name = st.session_state["lab_strategy"]
    recipe = carried(MASKS, name, MASKS.parse(spec.policies[at]))
    _clear()
    member, fields = MASKS.get(name), dict[str, object]()
    if member.frames and "x" not in spec.grid:
        fields["grid"] = "8x14x14"
    _recipes(at, recipe, **fields)


def _take() -> None:
    _clear()
    _recipes(chosen(), state.spec().mask)


def _edited(owner: str) -> None:
    edit, spec, at = _edit(), current(), chosen()
    if edit.get("owner") != owner:
        return
    values = dict(edit.get("values", {}))
    seed = values.pop("seed", 0)
    _clear()
    state.attempt("mask.seed", lambda: state.spec().replace(seed=whole_number(seed)))
    recipe = tuned(MASKS, MASKS.parse(spec.policies[at]), values, _complain)
    if recipe is not None:
        _recipes(at, recipe)


def _recipes(at: int, recipe: str, **fields: object) -> None:
    """Give policy `at` another recipe; the others follow its ratio if they should."""
    policies = list(current().policies)
    policies[at] = recipe
    found = tuple(policies)
    if st.session_state.get("lab_same", True):
        found = same_ratio(found, at)
    change("mask", policies=found, **fields)


def _complain(knob: str, sentence: str) -> None:
    state.complain(f"mask.{knob}" if knob else "mask", sentence)


def _clear() -> None:
    for name in [name for name in state.problems() if name.split(".")[0] == "mask"]:
        state.problems().pop(name)


def _same() -> None:
    if st.session_state["lab_same"]:
        change("mask", policies=same_ratio(current().policies, chosen()))


def _grid() -> None:
    change("lab", grid=st.session_state["lab_grid"], cell=None)


def _draws() -> None:
    change("lab", draws=st.session_state["lab_draws"])


def measures() -> None:
    """The panel of the chosen policy: numbers, sample masks, maps and charts."""
    spec, at = current(), chosen()
    try:
        data = worker.run(lab_payload.measures, spec, at)
    except BadInput as error:
        data = {"mark": "", "recipe": spec.policies[at], "problem": whole(str(error))}
    except Exception as error:
        data = {"mark": "", "recipe": spec.policies[at], "problem": state.unexpected(error)}
    component("lab")(key="lab-measures", data=data, on_cell_change=_cell)


def _cell() -> None:
    cell = (st.session_state.get("lab-measures") or {}).get("cell")
    if cell is not None:
        change("lab", cell=int(cell))


def rows() -> None:
    """All policies on the photo; pictures come once the model is there."""
    spec, busy = current(), warmer.busy
    height, width = scenes.grid_of(spec.scene).pixels
    ratios = {getattr(MASKS.parse(recipe), "ratio", None) for recipe in spec.policies}
    hint = f"2 to {MOST} strategies on one photo" if len(spec.policies) == 1 else ""
    if len(ratios) > 1:
        hint = "The ratios differ; the share that each hides stands in its row."
    data: dict[str, Any] = {
        "rows": [_row(spec, at, not busy) for at in range(len(spec.policies))],
        "original": "/api/picture?" + urlencode({"photo": spec.scene.photo, "fit": spec.scene.fit}),
        "chosen": chosen(), "most": MOST, "shape": width / height, "hint": hint,
    }  # fmt: skip
    if busy:
        asked: int = st.session_state.get("lab_asked", 0)
        data |= {"loading": LOADING, "asked": asked}  # the browser asks again when this differs
    component("policies")(key="lab-policies", data=data, on_act_change=_act, on_ask_change=_ask)


def _row(spec: LabSpec, at: int, with_pictures: bool) -> dict[str, Any]:
    try:
        return worker.run(lab_payload.row, spec, at, with_pictures)
    except BadInput as error:
        problem = whole(str(error))
    except Exception as error:
        problem = state.unexpected(error)
    return {**lab_payload.bare_row(spec, at), "problem": problem}


def _ask() -> None:
    st.session_state["lab_asked"] = st.session_state.get("lab_asked", 0) + 1


def _act() -> None:
    told = (st.session_state.get("lab-policies") or {}).get("act")
    if not told:
        return
    kind, at, spec = told.get("kind"), int(told.get("at", 0)), current()
    if kind == "choose" and 0 <= at < len(spec.policies):
        st.session_state["lab_at"] = at
    elif kind == "remove" and 0 <= at < len(spec.policies) and len(spec.policies) > 1:
        change("lab", policies=spec.policies[:at] + spec.policies[at + 1 :])
        st.session_state["lab_at"] = max(0, chosen() - (at < chosen()))
    elif kind == "add" and len(spec.policies) < MOST:
        add(spec)


def add(spec: LabSpec) -> None:
    """One more policy: the first of the usual ones that is not there, at the same ratio."""
    leader = MASKS.parse(spec.policies[chosen()])
    there = {MASKS.parse(recipe).name for recipe in spec.policies}
    name = next(name for name in OFFERED if name not in there)
    if change("lab", policies=(*spec.policies, carried(MASKS, name, leader))):
        st.session_state["lab_at"] = len(spec.policies)


def share() -> None:
    """The link of this view, and the chosen policy as Python and as a command."""
    spec, at = current(), chosen()
    component("link")(
        key="link",
        data={
            "query": urlencode(spec.to_query()),
            "python": spec.python(at),
            "command": spec.command(at),
        },
    )
