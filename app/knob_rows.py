"""Controls of declared knobs as plain data: what `knobs.js` draws, and what it sends back."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from workbench.errors import BadInput
from workbench.fills import FILLS
from workbench.masks import MASKS
from workbench.params import KnobSpec, knobs
from workbench.schedules import Schedule
from workbench.scores import SCORES

PAINT_ONLY = "painted"
SCORES_KNOB = "scores"
STACK = "layers"


@cache
def menu(kind: str) -> dict[str, str]:
    """Names and one-line summaries of what fits a single photo.

    Strategies for clips, views, channels and spectra have pages of their own, and a stack is made
    in the list of layers.
    """
    rows = (MASKS if kind == "masks" else FILLS).describe()
    offered = (row for row in rows if not row.get("frames") and not row.get("domain"))
    return {row["name"]: row["summary"] for row in offered if row["name"] != STACK}


def mask_rows(
    base: Any, seed: int, lock: float | None, problems: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Rows for a strategy (None: painted by hand only), the seed and the exact-ratio lock."""
    rows = [] if base is None else _strategy_rows(base, problems)
    rows.append(_row("seed", "Seed", "seed", seed, 0, None, 1))
    lock_row = _row("lock", "Lock the ratio", "lock", lock, 0.0, 1.0, 0.01)
    lock_row["start"] = getattr(None if base is None else base.at(0), "ratio", 0.75)
    lock_row["help"] = "Fills or thins at random to an exact ratio; painted patches go last."
    for row in (*rows[-1:], lock_row):
        row["problem"] = problems.get(f"mask.{row['name']}")
    return [*rows, lock_row]


def declared_rows(recipe: Any, where: str, problems: Mapping[str, str]) -> list[dict[str, Any]]:
    """One row a knob; `problems` holds sentences by `<where>.<knob>`."""
    rows = [_declared(spec, getattr(recipe, spec.name)) for spec in knobs(type(recipe))]
    return [{**row, "problem": problems.get(f"{where}.{row['name']}")} for row in rows]


def _strategy_rows(base: Any, problems: Mapping[str, str]) -> list[dict[str, Any]]:
    """A strategy's own knobs; a score map is chosen by name, and its knobs stand below it."""
    rows: list[dict[str, Any]] = []
    for row in declared_rows(base, "mask", problems):
        if row["name"] in getattr(base, "idle", ()):
            continue
        if row["name"] != SCORES_KNOB or not hasattr(base, "score_kind"):
            rows.append(row)
            continue
        score = score_of(base)
        names = [name for name in SCORES.names() if SCORES.get(name).kind == base.score_kind]
        if score is None or score.name not in names:
            names.insert(0, base.scores if score is None else score.name)
        value = base.scores if score is None else score.name
        told = {"kind": "choice", "label": "Score map", "choices": names, "value": value}
        rows.append({**row, **told})
        for inner in [] if score is None else declared_rows(score, "", {}):
            name = f"{SCORES_KNOB}.{inner['name']}"
            label = f"Map: {inner['label'].lower()}"
            problem = problems.get(f"mask.{name}")
            rows.append({**inner, "name": name, "label": label, "problem": problem})
    return rows


def score_of(base: Any) -> Any:
    """The score that a strategy follows, or None where its recipe names none."""
    try:
        return SCORES.parse(base.scores)
    except BadInput:
        return None


def _scored(base: Any, values: Mapping[str, Any], complain: Callable[[str, str], None]) -> str:
    """The recipe of the score map as it was chosen and tuned."""
    name, score = values.get(SCORES_KNOB), score_of(base)
    if isinstance(name, str) and name in SCORES.names() and (score is None or name != score.name):
        return carried(SCORES, name, score)
    if score is None:
        return base.scores
    start = f"{SCORES_KNOB}."
    inner = {key.removeprefix(start): each for key, each in values.items() if key.startswith(start)}
    found = tuned(SCORES, score, inner, lambda knob, said: complain(start + knob, said))
    return base.scores if found is None else found


def _declared(spec: KnobSpec, value: Any) -> dict[str, Any]:
    high = spec.maximum if spec.soft_maximum is None else spec.soft_maximum
    low = spec.minimum
    step = spec.step or (1 if spec.kind == "int" else None)
    if step is None and low is not None and high is not None:
        step = (high - low) / 100
    moves = isinstance(value, Schedule)
    shown = str(value) if moves or (spec.kind == "recipe" and value is not None) else value
    kind = "schedule" if moves else spec.kind
    row = _row(spec.name, plain(spec.name), kind, shown, low, high, step)
    choices = list(spec.choices or ())
    return {**row, "help": spec.help, "optional": spec.optional, "choices": choices}


def _row(
    name: str, label: str, kind: str, value: Any, low: float | None, high: float | None, step: Any
) -> dict[str, Any]:
    return {
        "name": name, "label": label, "kind": kind, "value": value, "low": low, "high": high,
        "step": step, "help": "", "optional": False, "choices": [],
    }  # fmt: skip


def plain(name: str) -> str:
    """A name as a person reads it."""
    return name.replace("_", " ").capitalize()


def network_label(name: str) -> str:
    """A network's name as the menus call it."""
    if name.startswith("timm:"):
        return f"{name.removeprefix('timm:')} (fresh weights)"
    return name.replace("run:", "Run ")


def strategy_label(name: str) -> str:
    """A strategy's name as a person reads it."""
    return "By hand only" if name == PAINT_ONLY else plain(name)


def carried(registry: Any, name: str, old: Any) -> str:
    """The recipe of another member; knobs of the same name keep their values where allowed.

    Each strategy starts with the score map that it is made for.
    """
    member = registry.get(name)
    own = {spec.name for spec in knobs(member)} - {SCORES_KNOB}
    before = {spec.name: getattr(old, spec.name) for spec in knobs(type(old))} if old else {}
    try:
        return str(member(**{key: value for key, value in before.items() if key in own}))
    except BadInput:
        return str(member())


def tuned(
    registry: Any, recipe: Any, values: Mapping[str, Any], complain: Callable[[str, str], None]
) -> str | None:
    """The recipe with every value that is allowed.

    A refused value keeps the old one and is told by `complain(knob, sentence)`; a combination that
    is refused is told with the knob "" and gives None.
    """
    member, accepted = type(recipe), {}
    for spec in knobs(member):
        value = values.get(spec.name, getattr(recipe, spec.name))
        if spec.name == SCORES_KNOB and hasattr(recipe, "score_kind"):
            value = _scored(recipe, values, complain)
        try:
            if spec.kind == "recipe" and isinstance(value, str):
                value = registry.parse(value)
            elif isinstance(getattr(recipe, spec.name), Schedule) and isinstance(value, str):
                value = value if value in (spec.choices or ()) else registry.value(value, member)
            member(**{**accepted, spec.name: value})
        except BadInput as error:
            complain(spec.name, str(error))
            value = getattr(recipe, spec.name)
        accepted[spec.name] = value
    try:
        return str(member(**accepted))
    except BadInput as error:
        complain("", str(error))
        return None


def whole_number(value: Any) -> Any:
    """A float without a fraction as an int; anything else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
