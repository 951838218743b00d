"""The form of a new run as plain data: menus with reasons, knobs, and what a choice changes.

Everything is a `RunConfig`; the objectives are read on first use, which loads torch.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from app.knob_rows import carried, declared_rows, plain, tuned, whole_number
from app.sentences import whole
from workbench.data.sets import DATASETS
from workbench.errors import BadInput
from workbench.masks import MASKS
from workbench.params import knobs
from workbench.runs.config import RunConfig
from workbench.runs.presets import GROUPS, run_preset, run_presets, sized_for

FIRST = "digits_mae_tiny"
MAIN = ("name", "steps", "batch", "seed", "device")
HIDDEN = {"objective", "mask", "data", "preset", "group", *MAIN}
# The other knobs by what they belong to, with the words that a person reads for them.
HEADINGS: dict[str, dict[str, str]] = {
    "Model": {
        "init": "Begins at", "size": "Picture side", "patch": "Patch side", "dim": "Width",
        "depth": "Blocks", "heads": "Heads", "mlp": "Width of the MLP, times the width",
    },
    "Optimiser": {
        "optimiser": "Optimiser", "lr": "Learning rate", "muon_lr": "Learning rate of Muon",
        "weight_decay": "Weight decay", "beta2": "AdamW's beta 2", "layer_decay": "Layer decay",
        "warmup": "Warm-up steps", "cooldown": "Cool-down share", "schedule": "Schedule",
        "clip": "Clip the gradient at",
    },
    "Pictures": {
        "crop": "Smallest crop", "flip": "Mirror", "color": "Colour changes",
        "field": "Random fields",
    },
    "Machine": {
        "precision": "Precision", "threads": "Threads", "processes": "Processes",
        "memory": "Memory limit (MB)",
    },
    "Checkpoints and what is written": {
        "save_every": "Checkpoint every", "keep": "Checkpoints kept",
        "picture_every": "Pictures every", "log_every": "Metrics every",
        "stall": "Alert after (seconds)", "evaluate": "Evaluate at the end",
        "mirror": "Also told to",
    },
}  # fmt: skip
STAYS = ("name", "seed", "device", "threads", "precision", "group")
NOTHING = "nothing"
PLACES = (
    "With an empty path it is looked for in the folder WORKBENCH_DATA, in `data` under "
    "WORKBENCH_HOME, and in ./data."
)
Complain = Callable[[str, str], None]


def linked(query: Mapping[str, str]) -> tuple[RunConfig, list[str]]:
    """Return the run of a link; a field that cannot be read is told and gives way to the preset."""
    from workbench.runs.launching import configured

    fields, wrong = dict(query), list[str]()
    preset = fields.pop("preset", FIRST)
    try:
        found = configured(preset, {})
    except BadInput as error:
        wrong.append(whole(str(error)))
        found = configured(FIRST, {})
    try:
        return configured(found, fields), wrong
    except BadInput:
        pass  # one by one, so that a bad one does not take the others down
    for name, value in fields.items():
        try:
            found = configured(found, {name: value})
        except BadInput as error:
            wrong.append(whole(str(error).removeprefix("run: ")))
    return found, wrong


def _menu(name: str, label: str, value: str, groups: Any, about: str) -> dict[str, Any]:
    return {"name": name, "label": label, "value": value, "groups": groups, "about": about}


def preset_menu(config: RunConfig) -> dict[str, Any]:
    """All presets by the time they are sized for."""
    groups: list[Any] = []
    known = run_presets()
    for group, words in GROUPS.items():
        fitting = [name for name, each in known.items() if sized_for(each) == group]
        options = [[name, name, _summary(known[name].objective)] for name in sorted(fitting)]
        groups.append([words, [[name, f"{name} – {about}", ""] for name, _, about in options]])
    about = ""
    if config.preset in known:
        base = known[config.preset]
        about = (
            f"{GROUPS[sized_for(base)]}: {base.steps:,} steps of {base.batch} pictures, "
            f"{base.size} x {base.size} px, {base.data.partition('(')[0]}."
        )
    return _menu("preset", "Start from a preset", config.preset, groups, about)


def _summary(recipe: str) -> str:
    from workbench.objectives import OBJECTIVES

    rows = {row["name"]: row for row in OBJECTIVES.describe()}
    return str(rows.get(recipe.partition("(")[0], {}).get("summary", ""))


def objective_menu(config: RunConfig) -> dict[str, Any]:
    """All objectives, with what they need."""
    from workbench.objectives import OBJECTIVES

    rows = OBJECTIVES.describe()
    options = [[row["name"], f"{row['name']} – {row['summary']}", ""] for row in rows]
    name = config.objective.partition("(")[0]
    row = next((row for row in rows if row["name"] == name), None)
    about = "" if row is None else row["summary"]
    if row is not None and row["paper"] not in about:
        about += f" {row['paper']}."
    return _menu("objective", "What is learnt", name, [["", options]], about)


def mask_menu(config: RunConfig) -> dict[str, Any]:
    """All strategies; those that the objective cannot take say why."""
    from workbench.objectives import OBJECTIVES

    objective = OBJECTIVES.parse(config.objective)
    name = config.mask.partition("(")[0] or NOTHING
    fit: list[list[str]] = []
    cannot: list[list[str]] = []
    for row in MASKS.describe():
        strategy = MASKS.parse(config.mask) if row["name"] == name else MASKS.get(row["name"])()
        reason = objective.refuses(strategy)
        text = f"{plain(row['name'])} – {reason or row['summary']}"
        (cannot if reason else fit).append([row["name"], text, reason or ""])
    if not objective.masked:
        fit.append([NOTHING, f"Nothing – {objective.name} hides nothing", ""])
    groups = [["Goes with it", fit], [f"Cannot go with {objective.name}", cannot]]
    about = next((text for value, text, _ in [*fit, *cannot] if value == name), "")
    found = _menu("mask", "What is hidden", name, groups, about.partition(" – ")[2])
    return found | {"problem": _hides_wrong(config)}


def _hides_wrong(config: RunConfig) -> str:
    """A sentence where what is hidden leaves nothing to see, or nothing to guess."""
    from workbench.runs.setting import setting

    try:
        said = setting(config).foreseen()
    except BadInput as error:
        said = str(error)
    return f"{said.rstrip('.')}." if said else ""  # it begins with a recipe: no capital


def data_menu(config: RunConfig) -> dict[str, Any]:
    """All data sets; those that lack what the objective needs say so."""
    from workbench.objectives import OBJECTIVES

    needs = OBJECTIVES.parse(config.objective).takes
    name = config.data.partition("(")[0]
    fit: list[list[str]] = []
    cannot: list[list[str]] = []
    for row in DATASETS.describe():
        given = row["gives"]
        reason = "" if needs in given else f"gives {' and '.join(given)}, no {needs}"
        text = f"{plain(row['name'])} – {reason or row['summary']}"
        (cannot if reason else fit).append([row["name"], text, reason])
    about = next((text for value, text, _ in fit if value == name), "").partition(" – ")[2]
    if getattr(member_of(config, "data"), "path", None) == "":
        about += f" {PLACES}"
    groups = [["Goes with it", fit], [f"Has no {needs}", cannot]]
    return _menu("data", "What it is trained on", name, groups, about)


def recipe_rows(config: RunConfig, field: str, problems: Mapping[str, str]) -> list[dict[str, Any]]:
    """Rows for the knobs of one of the three recipes."""
    member = member_of(config, field)
    if member is None:
        return []
    rows = declared_rows(member, field, problems)
    return [row for row in rows if row["name"] not in getattr(member, "idle", ())]


def data_missing(config: RunConfig) -> str:
    """The sentence of data that are not on this machine; empty where they are."""
    try:
        member_of(config, "data").there()
    except BadInput as error:
        return whole(str(error))
    return ""


def registry_of(field: str) -> Any:
    """Where the members of a field are registered."""
    from workbench.objectives import OBJECTIVES

    return {"objective": OBJECTIVES, "mask": MASKS, "data": DATASETS}[field]


def member_of(config: RunConfig, field: str) -> Any:
    """The member that a recipe of the run names; None for a mask that is none."""
    text = getattr(config, field)
    return registry_of(field).parse(text) if text else None


def run_rows(config: RunConfig, problems: Mapping[str, str], main: bool) -> list[dict[str, Any]]:
    """Rows for the run's own knobs: those that everybody sets, or all others."""
    found = {row["name"]: row for row in declared_rows(config, "run", problems)}
    for row in found.values():
        row["kind"] = "seed" if row["name"] == "seed" else row["kind"]
    if main:
        return [found[name] for name in MAIN]
    rows = [
        {**found.pop(name), "label": label, "heading": heading}
        for heading, inside in HEADINGS.items()
        for name, label in inside.items()
    ]
    return rows + [row for name, row in found.items() if name not in HIDDEN]


def chosen(config: RunConfig, menu: str, value: str) -> RunConfig:
    """Return the run after a choice in a menu.

    A preset brings all but name, seed and machine; an objective brings the sizes, steps and mask of
    its first preset and keeps the data where it can use them.

    Raises:
        BadInput: the choice does not go with the rest; the sentence says why.
    """
    from workbench.runs.setting import canonical

    if menu == "preset":
        return canonical(_kept(run_preset(value), config))
    if menu == "objective":
        objective = registry_of("objective").get(value)
        names = [name for name in objective.presets if name.endswith("_tiny")]
        base = run_preset((names or list(objective.presets))[0])
        other = replace(_kept(base, config), objective=base.objective)
        gives = type(member_of(config, "data")).gives
        if objective.takes in gives and _same_kind(config, other):
            other = replace(other, data=config.data, size=config.size, patch=config.patch)
        return canonical(other)
    if menu == "mask" and value == NOTHING:
        return canonical(replace(config, mask=""))
    old = member_of(config, menu) if menu == "mask" else None
    return canonical(replace(config, **{menu: carried(registry_of(menu), value, old)}))


def _same_kind(one: RunConfig, other: RunConfig) -> bool:
    """Whether pictures of one run's size go into the other's model as it is."""
    return one.size // one.patch == other.size // other.patch


def _kept(base: RunConfig, config: RunConfig) -> RunConfig:
    """A preset with what belongs to the person and the machine, the folder of its data too."""
    kept = {name: getattr(config, name) for name in STAYS}
    if base.data.partition("(")[0] == config.data.partition("(")[0]:
        kept["data"] = config.data
    return replace(base, **kept)


def recipe_edited(
    config: RunConfig, field: str, values: Mapping[str, Any], complain: Complain
) -> RunConfig:
    """Return the run after an edit of one recipe's knobs; refusals are told and keep the old."""
    from workbench.runs.setting import canonical

    member = member_of(config, field)
    if member is None:
        return config
    clean = {name: whole_number(value) for name, value in values.items()}
    recipe = tuned(registry_of(field), member, clean, complain)
    if recipe is None:
        return config
    try:
        return canonical(replace(config, **{field: recipe}))
    except BadInput as error:
        complain("", str(error))
        return config


def run_edited(config: RunConfig, values: Mapping[str, Any], complain: Complain) -> RunConfig:
    """Return the run after an edit of its own knobs.

    What belongs together, a width and its heads say, is tried together first.
    """
    kinds = {each.name: each.kind for each in knobs(RunConfig)}
    new = {
        name: whole_number(value) if kinds[name] == "int" else value
        for name, value in values.items()
        if name in kinds and value != getattr(config, name)
    }
    try:
        return config.changed(new)
    except BadInput:
        pass
    for name, value in new.items():
        try:
            config = config.changed({name: value})
        except BadInput as error:
            complain(name, str(error).removeprefix("run: "))  # it stands at the knob
    return config
