"""The studio's page: Gradio around the dashboard's own components and the one painter."""

import hashlib
import json
import logging
import secrets
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from app import payloads, worker
from app.components.scripts import SCRIPTS
from app.knob_rows import menu, plain, strategy_label
from app.studio import desk as desks
from app.studio.api import ENDPOINTS
from app.studio.desk import Desk
from app.studio.look import HEADER, HEADER_SCRIPT, STYLE, theme
from app.warm import warmer
from workbench import scenes
from workbench.errors import BadInput
from workbench.fills import FILLS
from workbench.masks import MASKS
from workbench.models import list_models
from workbench.painter import painter_js

log = logging.getLogger("workbench.studio")
LOADING = "The model is being loaded, once; painting works already."
FITS = [("Crop", "crop"), ("Letterbox", "letterbox"), ("Resize", "resize")]
ROOT = "<div class='root'></div>"
STAYS = gr.skip()


def hosted(name: str, value: Any = None, **options: Any) -> gr.HTML:
    """One of the dashboard's components in this page."""
    text = (Path(__file__).parent / "host.js").read_text(encoding="utf-8")
    digest = hashlib.sha256(SCRIPTS[f"{name}.js"]().encode()).hexdigest()[:12]
    address = json.dumps(f"/api/script/{name}.js?{digest}")
    script = text.replace("SCRIPT", address)
    return gr.HTML(value, html_template=ROOT, js_on_load=script, **options)


class Page:
    """The controls, and what happens when one is used.

    Every handler takes the desk, changes it and gives the values of all controls. They run one at
    a time over all visitors: the model does too, and no change of a visitor overtakes another.
    """

    def __init__(self, dashboard: int | None) -> None:
        """Draw the page; `dashboard` is the port of the dashboard to lead back to."""
        self.desk = gr.State(Desk())
        header = HEADER.replace("PORT", str(dashboard or 0))
        gr.HTML(html_template=header, js_on_load=HEADER_SCRIPT, elem_id="header")
        with gr.Row(elem_id="bench"):
            with gr.Column(scale=25, min_width=250, elem_id="controls"):
                self._controls()
            with gr.Column(scale=35, min_width=300, elem_id="painting"):
                script = painter_js("gradio")
                self.painter = gr.HTML(None, html_template=ROOT, js_on_load=script)
                self.recipe = gr.Textbox(
                    label="Recipe", lines=2, max_lines=6, elem_id="recipe",
                    info="The whole mask as one line of text; edit it and see it drawn.",
                    html_attributes=gr.InputHTMLAttributes(spellcheck=False, autocorrect="off"),
                )  # fmt: skip
                self.recipe_problem = gr.HTML("", elem_classes="trouble")
            with gr.Column(scale=46, min_width=300, elem_id="pictures"):
                self.results = hosted("results", elem_id="results")
                self.card = gr.HTML("", elem_id="card")
                self.leak = hosted("leak", {"mark": ""}, elem_id="leak")
                self.share = hosted("share", elem_id="share")
        self.outputs = [
            self.desk, self.photos, self.fit, self.strategy, self.knobs, self.problem, self.fill,
            self.fill_knobs, self.model, self.painter, self.recipe, self.recipe_problem, self.card,
            self.share, self.results,
        ]  # fmt: skip

    def _controls(self) -> None:
        self.photos = hosted("photos", elem_id="photos")
        self.fit = gr.Radio(FITS, value="crop", label="Fit to the model's size", elem_id="fit")
        strategies = [(strategy_label(name), name) for name in menu("masks")]
        self.strategy = gr.Dropdown(strategies, label="Mask strategy", elem_id="strategy")
        self.knobs = hosted("knobs", elem_id="knobs")
        self.problem = gr.HTML("", elem_classes="trouble")
        fills = [(plain(name), name) for name in menu("fills")]
        self.fill = gr.Dropdown(fills, label="Shown in the holes", elem_id="fill")
        self.fill_knobs = hosted("knobs", elem_id="fill-knobs")
        self.model = gr.Dropdown([], label="Model", elem_id="model")

    def listen(self, demo: gr.Blocks) -> None:
        """Join controls and handlers."""
        demo.load(self.load, None, self.outputs, **self._turn())
        for control, act in (
            (self.strategy, desks.chose_strategy),
            (self.fill, desks.chose_fill),
            (self.model, lambda desk, name: desks.chose(desk, "model", name)),
            (self.fit, lambda desk, name: desks.chose(desk, "fit", name)),
            (self.painter, desks.painted),
            (self.knobs, _told(desks.tuned_mask, "mask")),
            (self.fill_knobs, _told(desks.tuned_fill, "fill")),
            (self.photos, lambda desk, value: desks.pressed(desk, value.get("told", (0, {}))[1])),
        ):
            told = self.handler(act, control)
            control.input(told, self.inputs(control), self.outputs, **self._turn())
        typed = self.handler(desks.typed_recipe, self.recipe, typing=True)
        self.recipe.input(typed, self.inputs(self.recipe), self.outputs, **self._turn())
        entered = self.handler(desks.typed_recipe, self.recipe)
        for leave in (self.recipe.submit, self.recipe.blur):
            leave(entered, self.inputs(self.recipe), self.outputs, **self._turn())
        self.leak.input(self.measure, self.inputs(self.leak), self.leak, **self._turn())

    def inputs(self, control: Any) -> list[Any]:
        """What a handler needs: the page's link restores a desk that a new server does not know."""
        return [self.desk, control, self.share]

    def _turn(self) -> dict[str, Any]:
        return {
            "concurrency_id": "desk", "concurrency_limit": 1, "trigger_mode": "always_last",
            "show_progress": "hidden", "api_visibility": "private",
        }  # fmt: skip

    def load(self, request: gr.Request) -> Iterator[list[Any]]:
        """The scene of the link: the painter at once, the pictures once there is a model."""
        desk = desks.opened({name: str(value) for name, value in request.query_params.items()})
        if warmer.state != "ready":
            yield self.show(desk, loading=True)
            warmer.load()
        yield self.show(desk)

    def handler(
        self, act: Callable[[Desk, Any], Desk], control: Any, typing: bool = False
    ) -> Callable[[Desk, Any, Any], list[Any]]:
        """A listener that changes the desk by `act`; one that is `typing` is left alone."""

        def handle(desk: Desk, value: Any, shared: Any) -> list[Any]:
            told = desks.recalled(desk, shared)
            before = desks.possible(told)
            try:
                after = act(before, value)
            except Exception as error:
                after = before.told("mask", _unexpected(error))
            as_shown = desk.known and before.spec == told.spec
            kept = self._kept(before, after, control, value) if as_shown else []
            return self.show(after, [*kept, self.recipe] if typing else kept)

        return handle

    def _kept(self, before: Desk, after: Desk, control: Any, value: Any) -> list[Any]:
        """Controls that show already what they should, or what was chosen there since."""
        was, now = self._choices(before), self._choices(after)
        wrong = [desk.problems.get("recipe") for desk in (before, after)]
        kept = [each for each in now if now[each] == (value if each is control else was[each])]
        if control is self.recipe and wrong[1]:  # to be mended where it was written
            return [*kept, self.recipe]
        if control is not self.recipe and wrong[0] and not wrong[1]:
            return [each for each in kept if each is not self.recipe]
        return kept

    def _choices(self, desk: Desk) -> dict[Any, str]:
        """What the controls that hold one word or text show for a desk."""
        desk = desks.possible(desk)
        spec, base = desk.spec, desk.paint.base
        return {
            self.fit: spec.fit,
            self.strategy: MASKS.parse(base).name if base else "painted",
            self.fill: FILLS.parse(spec.fill).name,
            self.model: spec.model,
            self.recipe: spec.mask,
        }

    def show(self, desk: Desk, keep: Sequence[Any] = (), loading: bool = False) -> list[Any]:
        """The values of all outputs for a desk, but for those to `keep` as the page has them."""
        desk = desks.possible(desk)
        spec, problems, heard = desk.spec, desk.problems, desk.heard
        chosen = self._choices(desk)
        models = {"choices": [(info.label, info.name) for info in list_models()]}
        values: dict[Any, Any] = {
            self.photos: desks.photo_list(desk),
            self.fit: spec.fit,
            self.strategy: _choice(chosen[self.strategy], "masks"),
            self.knobs: desks.mask_knobs(desk, heard.get("mask", 0)),
            self.problem: _alert(problems, "link", "mask", "paint", "model"),
            self.fill: _choice(chosen[self.fill], "fills"),
            self.fill_knobs: desks.fill_knobs(desk, heard.get("fill", 0)),
            self.model: gr.Dropdown(**models, value=spec.model),
            self.recipe: spec.mask,
            self.recipe_problem: _alert(problems, "recipe"),
            self.share: desks.shared(desk),
        }
        desk, drawn = self.draw(desk, loading)
        values |= {**drawn, self.desk: desk, **dict.fromkeys(keep, STAYS)}
        if self.model in keep:
            values[self.model] = gr.Dropdown(**models)
        return [values.get(each, STAYS) for each in self.outputs]

    def draw(self, desk: Desk, loading: bool) -> tuple[Desk, dict[Any, Any]]:
        """The painter, the card and the pictures; what cannot be made leaves the last ones."""
        data: dict[str, Any] = {"asked": 0, "scene": desk.picture}
        values: dict[Any, Any] = {}
        try:
            seen = worker.run(scenes.preview, desk.spec)
            values = {self.painter: desks.canvas(desk, seen), self.card: payloads.card(seen)}
            if loading:
                return desk, {**values, self.results: {**data, "loading": LOADING}}
            data["scene"] = desks.composed(desk.spec)
            desk = desk.replace(picture=data["scene"])
        except BadInput as error:
            data["problem"] = _sentence(str(error), desk)
        except Exception as error:
            data["problem"] = _unexpected(error)
        return desk, {**values, self.results: data}

    def measure(self, desk: Desk, value: Any, shared: Any) -> dict[str, Any]:
        """The leak meter's rows, or the sentence why there are none."""
        desk = desks.recalled(desk, shared)
        mark = payloads.mark(desk.spec)
        data: dict[str, Any] = {"mark": mark, "rows": [], "verdict": ""}
        if value.get("told", [None, None])[1] != mark:
            return STAYS
        try:
            return {**data, **payloads.leak_rows(worker.run(scenes.leak, desk.spec))}
        except BadInput as error:
            return {**data, "verdict": str(error)}
        except Exception as error:
            return {**data, "verdict": _unexpected(error)}


def build(dashboard: int | None = None) -> gr.Blocks:
    """The studio as Gradio blocks: the page, and the endpoints of `app.studio.api`."""
    demo = gr.Blocks(title="Mask workbench studio", analytics_enabled=False, fill_width=True)
    with demo:
        Page(dashboard).listen(demo)
        for name, function in ENDPOINTS.items():
            gr.api(function, api_name=name, concurrency_id="api", concurrency_limit=1)
    demo.queue(max_size=64)
    return demo


LOOK = {"theme": theme(), "css": STYLE}


def _told(
    act: Callable[[Desk, dict[str, Any]], Desk], which: str
) -> Callable[[Desk, dict[str, Any]], Desk]:
    """Let a handler take the edit that a component told, and remember its number."""

    def handle(desk: Desk, value: dict[str, Any]) -> Desk:
        edit = value.get("told", (None, {}))[1]
        seq = edit.get("seq", 0)
        return act(desk, edit).replace(heard={**desk.heard, which: seq})

    return handle


def _choice(name: str, kind: str) -> Any:
    """A menu's choice; a name that is not offered, of a link say, is added."""
    if name in menu(kind):
        return name
    label = strategy_label if kind == "masks" else plain
    return gr.Dropdown(choices=[(label(each), each) for each in (*menu(kind), name)], value=name)


def _alert(problems: Any, *names: str) -> str:
    from html import escape

    found = [problems[name] for name in names if name in problems]
    return f'<p role="alert">{escape(" ".join(found))}</p>' if found else ""


def _sentence(text: str, desk: Desk) -> str:
    from app.sentences import whole

    return whole(text) + (" The last picture stays." if desk.picture else "")


def _unexpected(error: Exception) -> str:
    mark = secrets.token_hex(4)
    log.error("Scene failed, log id %s", mark, exc_info=error)
    return f"Something failed here; the log has it as {mark}. Change a setting to try again."
