"""What one visitor of the studio has before them, and how each control changes it."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

from app import payloads, worker
from app.knob_rows import PAINT_ONLY, carried, declared_rows, mask_rows, tuned, whole_number
from app.links import linked
from app.sentences import whole
from workbench import scenes
from workbench.data import uploads
from workbench.data.samples import photos
from workbench.errors import BadInput
from workbench.fills import FILLS
from workbench.masks import MASKS
from workbench.scenes import Paint, Preview, SceneSpec
from workbench.scenes.photos import forget, source

DRAWN = 3


@dataclass(frozen=True)
class Desk:
    """A scene, the strokes painted on it, the visitor's uploads, and what could not be done.

    `problems` holds sentences by the control they belong to; `picture` is the last scene that
    could be made, as `app.payloads.payload` gives it; `heard` holds the number of the last edit of
    each set of knobs and of the photo picker; `known` is false for a visitor of whom this server
    has not heard yet.
    """

    spec: SceneSpec = field(default_factory=SceneSpec)
    strokes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    uploads: tuple[str, ...] = ()
    problems: Mapping[str, str] = field(default_factory=dict[str, str])
    picture: Mapping[str, Any] | None = None
    heard: Mapping[str, int] = field(default_factory=dict[str, int])
    known: bool = False

    def replace(self, **changes: Any) -> "Desk":
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    def told(self, where: str, sentence: str) -> "Desk":
        """A copy that shows a sentence beside the control `where`."""
        return self.replace(problems={**self.problems, where: whole(sentence)})

    def settled(self, *where: str) -> "Desk":
        """A copy without the sentences of these controls and of their knobs."""
        gone = {*where, "link"}
        kept = {k: v for k, v in self.problems.items() if k.partition(".")[0] not in gone}
        return self.replace(problems=kept)

    def attempt(self, where: str, make: Callable[[], SceneSpec]) -> "Desk":
        """A copy with the scene that `make` returns; bad input keeps the old one and is told."""
        try:
            return self.settled(where).replace(spec=make())
        except BadInput as error:
            return self.told(where, str(error))

    def repainted(self) -> "Desk":
        """A copy whose hand edits replace those on the canvas."""
        return self.replace(strokes={**self.strokes, "seq": _number(self.strokes, "seq") + 1})

    @property
    def patches(self) -> int:
        """How many patches the model's grid has."""
        return scenes.grid_of(self.spec).size

    @property
    def paint(self) -> Paint:
        """The mask's recipe taken apart."""
        return scenes.split_paint(self.spec, self.patches)


def opened(query: Mapping[str, str]) -> Desk:
    """The desk of a link; what cannot be read of it is told."""
    spec, wrong = linked(dict(query))
    mine = (spec.photo,) if uploads.is_upload(spec.photo) else ()
    desk = Desk(spec, uploads=mine, known=True)
    return desk.told("link", " ".join(wrong)) if wrong else desk


def recalled(desk: Desk, told: Any) -> Desk:
    """The desk; that of a page which was open while the server started anew is its link's.

    `told` is what the page holds of `shared`.
    """
    query = told.get("query", "") if isinstance(told, dict) else ""
    return desk if desk.known else opened(dict(parse_qsl(str(query))))


def possible(desk: Desk) -> Desk:
    """The desk with a model, a photo and hand edits that exist; what gave way is told."""
    try:
        patches = desk.patches
    except BadInput as error:
        desk = desk.replace(spec=desk.spec.replace(model=SceneSpec().model))
        desk = desk.told("model", str(error))
        patches = desk.patches
    try:
        source(desk.spec.photo)
    except BadInput as error:
        desk = desk.replace(spec=desk.spec.replace(photo=SceneSpec().photo))
        desk = desk.told("photo", str(error))
    try:
        scenes.split_paint(desk.spec, patches)
    except BadInput as error:
        bare = dataclasses.replace(desk.spec.strategy, hide="", show="")
        desk = desk.replace(spec=desk.spec.replace(mask=str(bare))).told("paint", str(error))
    return desk


def chose_strategy(desk: Desk, name: str) -> Desk:
    """Another strategy; knobs of the same name keep their values where they are allowed."""
    paint = desk.paint

    def changed() -> SceneSpec:
        recipe = carried(MASKS, name, MASKS.parse(paint.base) if paint.base else None)
        spec = scenes.with_strategy(desk.spec, recipe)
        return scenes.with_paint(spec, paint.hide, paint.show, paint.lock)

    return desk.settled("mask", "recipe").attempt("mask", changed)


def tuned_mask(desk: Desk, edit: Mapping[str, Any]) -> Desk:
    """New values of the strategy's knobs, the seed or the lock."""
    paint = desk.paint
    base = MASKS.parse(paint.base) if paint.base else None
    if edit.get("owner") != (PAINT_ONLY if base is None else base.name):
        return desk
    values = dict(edit.get("values", {}))
    seed, lock = values.pop("seed", 0), values.pop("lock", None)
    desk = desk.settled("mask", "recipe")
    desk = desk.attempt("mask.seed", lambda: desk.spec.replace(seed=whole_number(seed)))
    recipe, wrong = _tuned(MASKS, base, values) if base is not None else (None, {})
    desk = _with_problems(desk, "mask", wrong)

    def changed() -> SceneSpec:
        spec = desk.spec if recipe is None else scenes.with_strategy(desk.spec, recipe)
        return scenes.with_paint(spec, paint.hide, paint.show, lock)

    try:
        return desk.replace(spec=changed())
    except BadInput as error:
        return desk.told("mask", str(error))


def chose_fill(desk: Desk, name: str) -> Desk:
    """Another fill, with its own defaults."""
    desk = desk.settled("fill")
    return desk.attempt("fill", lambda: desk.spec.replace(fill=carried(FILLS, name, None)))


def tuned_fill(desk: Desk, edit: Mapping[str, Any]) -> Desk:
    """New values of the fill's knobs."""
    fill = FILLS.parse(desk.spec.fill)
    if edit.get("owner") != fill.name:
        return desk
    recipe, wrong = _tuned(FILLS, fill, edit.get("values", {}))
    desk = _with_problems(desk.settled("fill"), "fill", wrong)
    return desk if recipe is None else desk.replace(spec=desk.spec.replace(fill=recipe))


def typed_recipe(desk: Desk, text: str) -> Desk:
    """A recipe written by hand: it replaces strategy, knobs and paint."""
    made = desk.settled("mask", "paint").attempt("recipe", lambda: desk.spec.replace(mask=text))
    if "recipe" in made.problems:
        return made
    try:
        scenes.split_paint(made.spec, desk.patches)
    except BadInput as error:
        return desk.told("recipe", str(error))
    return made.repainted()


def painted(desk: Desk, edit: Mapping[str, Any]) -> Desk:
    """A finished stroke; bits of another model's grid are passed over."""
    hide, show = str(edit.get("hide", "")), str(edit.get("show", ""))
    patches = desk.patches
    if len(hide) != patches or len(show) != patches or set(hide + show) - set("01"):
        return desk
    kept = {name: edit[name] for name in ("strokes", "threshold", "seq") if name in edit}
    lock = desk.paint.lock
    desk = desk.replace(strokes=kept).settled("recipe")
    return desk.attempt("paint", lambda: scenes.with_paint(desk.spec, hide, show, lock))


def chose(desk: Desk, name: str, value: object) -> Desk:
    """Another model or fit."""
    return desk.attempt(name, lambda: desk.spec.replace(**{name: value}))


def pressed(desk: Desk, told: Mapping[str, Any]) -> Desk:
    """Presses of the photo picker that were not heard of before, in their order."""
    for press in told.get("list", ()):
        if press["turn"] > desk.heard.get("photos", 0):
            desk = picked(desk, press["event"], str(press["value"]))
            desk = desk.replace(heard={**desk.heard, "photos": press["turn"]})
    return desk


def picked(desk: Desk, event: str, value: str) -> Desk:
    """What the photo picker says: a photo chosen, uploaded, or an upload to be deleted.

    An upload is stored already: the value is the query that names it, or the view of a picture
    that was saved here.
    """
    if event == "photo" and value:
        return desk.attempt("photo", lambda: desk.spec.replace(photo=value))
    if event == "remove" and value == desk.spec.photo and value in desk.uploads:
        uploads.delete(value)
        forget()
        kept = tuple(name for name in desk.uploads if name != value)
        return desk.replace(uploads=kept, spec=desk.spec.replace(photo=SceneSpec().photo))
    query = dict(parse_qsl(value)) if event == "upload" else {}
    if set(query) == {"photo"}:
        desk = desk.attempt("photo", lambda: desk.spec.replace(photo=query["photo"]))
    elif query:
        desk = desk.attempt("photo", lambda: SceneSpec.from_query(query)).repainted()
    name = desk.spec.photo
    if uploads.is_upload(name) and name not in desk.uploads:
        desk = desk.replace(uploads=(name, *desk.uploads))
    return desk


def photo_list(desk: Desk) -> dict[str, Any]:
    """What the photo picker draws: this visitor's uploads first, then what everybody has."""
    named = [(name, "Your upload") for name in desk.uploads]
    named += [(info.name, info.title) for info in photos()]
    named += [(f"drawn-{seed}", f"Drawn scene {seed}") for seed in range(DRAWN)]
    listed = [
        {"name": name, "title": title, "thumbnail": f"/api/thumbnail?{urlencode({'photo': name})}"}
        for name, title in named
    ]
    return {
        "chosen": desk.spec.photo,
        "removable": desk.spec.photo in desk.uploads,
        "problem": desk.problems.get("photo"),
        "photos": listed,
        "done": desk.heard.get("photos", 0),
    }


def mask_knobs(desk: Desk, seq: int) -> dict[str, Any]:
    """What `knobs.js` draws for the strategy."""
    paint = desk.paint
    base = MASKS.parse(paint.base) if paint.base else None
    rows = mask_rows(base, desk.spec.seed, paint.lock, desk.problems)
    return {"owner": PAINT_ONLY if base is None else base.name, "knobs": rows, "seq": seq}


def fill_knobs(desk: Desk, seq: int) -> dict[str, Any]:
    """What `knobs.js` draws for the fill."""
    fill = FILLS.parse(desk.spec.fill)
    return {"owner": fill.name, "knobs": declared_rows(fill, "fill", desk.problems), "seq": seq}


def canvas(desk: Desk, seen: Preview) -> dict[str, Any]:
    """The painter's state; see the top of `patch_painter.js`."""
    paint, spec = desk.paint, seen.spec
    kept = {name: value for name, value in spec.to_query().items() if name in ("fit", "model")}
    card = seen.card
    return {
        "photo": "/api/picture?" + urlencode({"photo": spec.photo, **kept}),
        "grid": [seen.grid.rows, seen.grid.cols],
        "base": payloads.base_bits(seen, paint.base),
        "hide": paint.hide,
        "show": paint.show,
        "hidden": seen.bits,
        "threshold": desk.strokes.get("threshold", 0.5),
        "strokes": desk.strokes.get("strokes", []),
        "seq": _number(desk.strokes, "seq"),
        "label": f"{spec.photo}, {card.hidden} of {card.total} patches hidden",
    }


def shared(desk: Desk) -> dict[str, str]:
    """Link, code and command of the scene."""
    spec = desk.spec
    query = urlencode(spec.to_query())
    return {"query": query, "python": spec.python(), "command": spec.command()}


def composed(spec: SceneSpec) -> dict[str, Any]:
    """Make the scene on the heavy thread, as the browser needs it.

    Raises:
        BadInput: see `workbench.scenes.compose`.
    """
    return worker.run(lambda: payloads.payload(scenes.compose(spec)))


def _tuned(
    registry: Any, recipe: Any, values: Mapping[str, Any]
) -> tuple[str | None, dict[str, str]]:
    wrong: dict[str, str] = {}
    return tuned(registry, recipe, values, wrong.__setitem__), wrong


def _with_problems(desk: Desk, where: str, wrong: Mapping[str, str]) -> Desk:
    for knob, sentence in wrong.items():
        desk = desk.told(f"{where}.{knob}" if knob else where, sentence)
    return desk


def _number(values: Mapping[str, Any], name: str) -> int:
    value = values.get(name, 0)
    return value if type(value) is int else 0
