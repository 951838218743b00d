"""The matrix, the curve and the spread: what is asked for, and the work that makes it."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import streamlit as st

from app import running, state
from app.components.scripts import component
from app.knob_rows import plain
from app.sentences import whole
from app.steps import curve_steps, matrix_steps, points, spread_steps
from workbench import scenes
from workbench.errors import BadInput
from workbench.masks import MASKS
from workbench.plots.error_curve import error_bars, error_curve
from workbench.scenes import SceneSpec, curve, matrix, spread

LOOKS = {"matrix": "Matrix", "curve": "Error against ratio", "spread": "Spread over seeds"}
MOST_MASKS, MOST_RATIOS, MOST_SEEDS = 24, 24, 256
MOST_SEED = 2**53 - 1
KEY = "shown"


@dataclass(frozen=True)
class Shown:
    """What the page shows; its fields are query parameters beside the scene's."""

    look: str = "matrix"
    masks: tuple[str, ...] = matrix.STRATEGIES
    ratios: tuple[float, ...] = matrix.RATIOS
    seeds: int = spread.SEEDS

    def to_query(self) -> dict[str, str]:
        """What differs from the defaults."""
        values = {
            "look": self.look,
            "masks": ";".join(self.masks),
            "ratios": written(self.ratios),
            "seeds": str(self.seeds),
        }
        usual = Shown()
        return {
            name: text for name, text in values.items()
            if getattr(self, name) != getattr(usual, name)
        }  # fmt: skip


def written(ratios: tuple[float, ...]) -> str:
    """Ratios as a person writes them: "0.3, 0.5"."""
    return ", ".join(f"{ratio:g}" for ratio in ratios)


def current() -> Shown:
    """What this page shows; the first call of a session reads it from the address."""
    if KEY not in st.session_state:
        found, wrong = linked(st.query_params.to_dict())
        st.session_state[KEY] = found
        if wrong:
            state.complain("matrix", " ".join(wrong))
    return st.session_state[KEY]


def linked(query: Mapping[str, str]) -> tuple[Shown, list[str]]:
    """Read a link; what cannot be read is told and gives way to the default."""
    found, wrong = Shown(), list[str]()
    if query.get("look") in LOOKS:
        found = dataclasses.replace(found, look=query["look"])
    for name, read in (("masks", read_masks), ("ratios", read_ratios), ("seeds", read_seeds)):
        if name in query:
            try:
                found = dataclasses.replace(found, **{name: read(query[name])})
            except BadInput as error:
                wrong.append(whole(str(error)))
    return found, wrong


def read_masks(text: str) -> tuple[str, ...]:
    """Recipes separated by semicolons, each once, as they were written."""
    names = tuple(dict.fromkeys(part.strip() for part in text.split(";") if part.strip()))
    for name in names:
        MASKS.parse(name)
    if not 0 < len(names) <= MOST_MASKS:
        raise BadInput(
            f"{len(names)} strategies are named, wanted 1 to {MOST_MASKS}; add or drop some."
        )
    return names


def read_ratios(text: str) -> tuple[float, ...]:
    """Numbers from 0 to 1 separated by commas, each once, in order."""
    try:
        found = {float(part) for part in text.replace(";", ",").split(",") if part.strip()}
    except ValueError:
        raise BadInput(f"ratios are {text[:60]!r}, wanted numbers such as 0.3, 0.5.") from None
    if not 0 < len(found) <= MOST_RATIOS or not all(0 <= ratio <= 1 for ratio in found):
        raise BadInput(
            f"ratios are {text[:60]!r}, wanted 1 to {MOST_RATIOS} numbers from 0 to 1; write "
            "for example 0.3, 0.5, 0.75."
        )
    return tuple(sorted(found))


def read_seeds(text: str) -> int:
    """How many seeds the spread takes."""
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 2 <= int(text) <= MOST_SEEDS):
        raise BadInput(f"seeds is {text[:20]!r}, wanted 2 to {MOST_SEEDS}; take 16.")
    return int(text)


@cache
def _menu() -> list[str]:
    """Strategies for single photos, painted by hand left out."""
    rows = MASKS.describe()
    return [
        row["name"] for row in rows
        if not row["frames"] and not row["domain"] and row["name"] not in ("painted", "layers")
    ]  # fmt: skip


def choose() -> None:
    """Which of the three looks."""
    state.follow("look", current().look)
    st.segmented_control(
        "Show", list(LOOKS), format_func=LOOKS.__getitem__, key="look", required=True,
        on_change=_look_chosen, label_visibility="collapsed", width="stretch",
    )  # fmt: skip


def controls() -> None:
    """Strategies, ratios, seeds: what the look needs."""
    shown = current()
    if shown.look == "spread":
        state.follow("seeds", shown.seeds)
        st.number_input("Seeds", 2, MOST_SEEDS, key="seeds", on_change=_seeds_chosen)
    else:
        options = [*_menu(), *(name for name in shown.masks if name not in _menu())]
        state.follow("masks", list(shown.masks))
        st.multiselect(
            "Strategies", options, key="masks", on_change=_masks_chosen, format_func=_label,
            accept_new_options=True, max_selections=MOST_MASKS,
            help="Choose, or type a recipe such as block(min_patches=4); its ratio is set for you. "
            "A strategy without a ratio is filled or thinned at random to reach it.",
        )  # fmt: skip
        if shown.look == "matrix":
            state.follow("ratios", written(shown.ratios))
            st.text_input(
                "Shares to hide", key="ratios", on_change=_ratios_chosen,
                help=f"1 to {MOST_RATIOS} numbers from 0 to 1, separated by commas.",
            )  # fmt: skip
        if state.spec().seed <= MOST_SEED:  # a link may hold one beyond what a browser counts
            state.follow("matrix_seed", state.spec().seed)
            st.number_input("Seed", 0, MOST_SEED, key="matrix_seed", on_change=_seed_chosen)
    state.show_problem("matrix")


def _label(name: str) -> str:
    return plain(name) if name in _menu() else name


def _replace(**changes: Any) -> None:
    state.settle("matrix")
    st.session_state[KEY] = dataclasses.replace(current(), **changes)


def _look_chosen() -> None:
    _replace(look=st.session_state["look"])


def _masks_chosen() -> None:
    try:
        _replace(masks=read_masks(";".join(st.session_state["masks"])))
    except BadInput as error:
        state.complain("matrix", str(error))


def _ratios_chosen() -> None:
    try:
        _replace(ratios=read_ratios(st.session_state["ratios"]))
    except BadInput as error:
        state.complain("matrix", str(error))


def _seeds_chosen() -> None:
    _replace(seeds=int(st.session_state["seeds"]))


def _seed_chosen() -> None:
    state.change("matrix", seed=int(st.session_state["matrix_seed"]))


def draw() -> None:
    """Start what is asked for, unless it runs or is made already, and show it."""
    spec, shown = state.spec(), current()
    if shown.look == "matrix":
        make = partial(matrix_steps, spec, shown.masks, shown.ratios)
        job = running.started("matrix", (_bare(spec), shown.masks, shown.ratios), make)
        grid = scenes.grid_of(spec)
        data = {
            "job": job.mark, "rows": [_label(name) for name in shown.masks],
            "cols": [f"{ratio:.4g}" for ratio in shown.ratios],
            "shape": grid.cols / grid.rows,
        }  # fmt: skip
        component("matrix")(key="matrix", data=data)
    elif shown.look == "curve":
        make = partial(curve_steps, spec, shown.masks, curve.RATIOS)
        job = running.started("matrix", (_bare(spec), shown.masks), make)
        _ticker(job.mark, "points")
        _curve(shown, points(job.events))
    else:
        make = partial(spread_steps, spec, shown.seeds)
        job = running.started("matrix", (spec, shown.seeds), make)
        _ticker(job.mark, "seeds")
        if job.now is not None:
            figure = error_bars(job.now["seeds"], job.now["mse"])
            st.plotly_chart(figure, key="bars", config={"displaylogo": False})


def _bare(spec: SceneSpec) -> SceneSpec:
    """The scene without its own mask, which the matrix and the curve do not use."""
    return spec.replace(mask=SceneSpec().mask)


def _ticker(mark: str, unit: str) -> None:
    component("ticker")(key="ticker", data={"job": mark, "unit": unit}, on_tick_change=_ticked)


def _ticked() -> None:
    """A rerun is all that a tick is for."""


def _curve(shown: Shown, found: list[curve.Point]) -> None:
    lines: dict[str, list[tuple[float, float, float, float]]] = {}
    for row, name in enumerate(shown.masks):
        lines[_label(name)] = [
            (point.realised, point.mse, point.low, point.high)
            for point in found
            if point.row == row and point.mse is not None and point.realised is not None
            and point.low is not None and point.high is not None
        ]  # fmt: skip
    trained = curve.training(state.spec()) if found else curve.Training(())
    figure = error_curve(lines, trained.ratios, trained.usual)
    st.plotly_chart(figure, key="curve", config={"displaylogo": False})
    words = f"Mean of {curve.DRAWS} seeds, the band from the smallest to the largest error; across "
    words += "is the share really hidden."
    if trained.usual is not None:
        ratios = ", ".join(f"{ratio:g}" for ratio in sorted(set(trained.ratios)))
        words += f" The model's card names training ratios {ratios}; most often {trained.usual:g}."
    elif found:
        words += " The model's card names no training ratio."
    notes = sorted({point.note for point in found if point.note})
    st.caption(" ".join([words, *(["Points are missing:"] if notes else []), *notes]))


def python() -> str:
    """Lines of Python that make the same."""
    spec, shown = state.spec(), current()
    if shown.look == "spread":
        body = "from workbench.scenes.spread import spread\n\n*_, found = spread("
        body += f"{spec!r}, {shown.seeds})\nprint(found.mse, found.variance.max())\n"
    else:
        spec = _bare(spec)
        name = shown.look
        extra = f", {list(shown.ratios)!r}" if name == "matrix" else ""
        body = f"from workbench.scenes.{name} import {name}\n\n"
        body += f"for found in {name}({spec!r}, {list(shown.masks)!r}{extra}):\n"
        told = "found.spec.mask, found.metrics" if name == "matrix" else "found"
        body += f"    print({told})\n"
    return f"from workbench.scenes import SceneSpec\n{body}"


def command() -> str:
    """The command that makes the same matrix; "" for the others."""
    import shlex

    shown = current()
    if shown.look != "matrix":
        return ""
    query = {name: text for name, text in _bare(state.spec()).to_query().items()}
    words = ["python", "-m", "workbench", "matrix", state.spec().photo]
    words += ["--masks", ";".join(shown.masks), "--ratios", written(shown.ratios).replace(" ", "")]
    for name in ("fit", "model", "seed", "precision", "device"):
        if name in query:
            words += [f"--{name}", query[name]]
    return shlex.join([*words, "--out", "matrix"])
