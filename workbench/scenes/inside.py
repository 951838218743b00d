"""A photo seen from inside a network: its maps, what interventions change in them, and how much."""

import dataclasses
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from workbench.data.images import How, fit
from workbench.errors import BadInput, shown
from workbench.masks import MASKS, Grid, Mask
from workbench.scenes.photos import Pixels, source

Show = Literal["attention", "change"]
Scale = Literal["fixed", "each"]
Hide = Literal["drop", "keys"]
Floats = NDArray[np.float32]
# Where the fixed scale ends, in even shares: a token that gives every other one the same has 1.
TOP = 8.0
NETWORKS, RUNS = 3, 4
TIMED, TIMED_MS = 3, 60.0  # the best of so many runs, or of what fits into so many milliseconds
NAMED = "timm:"
LISTED = (
    "timm:vit_tiny_patch16_224",
    "timm:vit_small_patch14_reg4_dinov2",
    "timm:deit3_small_patch16_224",
    "timm:eva02_tiny_patch14_224",
)


@dataclass(frozen=True, kw_only=True)
class InsideSpec:
    """What the view Inside shows; its fields are the link's query parameters.

    `query` is the patch that asks, -1 for the class token; `mask` hides patches ("" for none),
    `hide` says whether their tokens are dropped or only their keys hidden; `change` are
    interventions, as `intervene` reads them. `layer` and `head` isolate one map, -1 for all.

    Raises:
        BadInput: a field that is not one of its choices, or a recipe that does not parse.
    """

    photo: str = "astronaut"
    fit: How = "crop"
    model: str = "default"
    mask: str = ""
    hide: Hide = "drop"
    change: str = ""
    query: int = -1
    layer: int = -1
    head: int = -1
    show: Show = "attention"
    scale: Scale = "fixed"
    seed: int = 0

    def __post_init__(self) -> None:
        """Check every field and write recipes in their canonical form."""
        from workbench.interventions import recipes_of

        choices = {"fit": How, "hide": Hide, "show": Show, "scale": Scale}
        for name, kind in choices.items():
            if getattr(self, name) not in get_args(kind):
                raise BadInput(
                    f"{name} is {shown(getattr(self, name))}, but must be one of "
                    f"{', '.join(get_args(kind))}."
                )
        for name in ("query", "layer", "head", "seed"):
            value = getattr(self, name)
            if type(value) is not int or not -1 <= value <= 2**31 - 1:
                raise BadInput(f"{name} is {shown(value)}, but must be a whole number; take 0.")
        if self.mask:
            object.__setattr__(self, "mask", str(MASKS.parse(self.mask)))
        written = " ; ".join(str(each) for each in recipes_of(self.change))
        object.__setattr__(self, "change", written)

    def replace(self, **changes: object) -> "InsideSpec":
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)  # pyright: ignore[reportArgumentType]

    def to_query(self) -> dict[str, str]:
        """The fields that differ from the defaults, as the URL's query parameters."""
        fields = dataclasses.fields(self)
        given = {each.name: getattr(self, each.name) for each in fields}
        return {
            each.name: str(given[each.name]) for each in fields if given[each.name] != each.default
        }

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> "InsideSpec":
        """Read query parameters; unknown names are ignored. A link names listed models only.

        Raises:
            BadInput: a field that cannot be read, or a model that is not listed.
        """
        values: dict[str, Any] = {}
        for field in dataclasses.fields(cls):
            if field.name in query:
                text = query[field.name]
                try:
                    values[field.name] = int(text) if field.type is int else text
                except ValueError:
                    raise BadInput(
                        f"{field.name} is {shown(text)}, but must be a whole number; take 0."
                    ) from None
        if values.get("model", "default") not in listed():
            raise BadInput(
                f"{shown(values['model'])} is no model here; choose one of {', '.join(listed())}."
            )
        return cls(**values)


@dataclass(frozen=True, eq=False)
class Inside:
    """What was found.

    `maps` and `plain` are float32 [layers, heads, rows, cols], what the query looks at with and
    without the interventions, NaN where a patch had no token, or a layer no map; a layer with fewer
    heads has NaN for the others. `rollout` and `plain_rollout` are [rows, cols]; `similar` is the
    cosine of each patch's last features with the plain ones; `hidden` marks patches without a
    token. `distance`, `entropy` [layers, heads] and `diversity` [layers] are those of the changed
    network. `scores` are (name, plain, changed) of the classes that lead in either, none without a
    head. `moved` is 1 minus the cosine of the pooled features or scores before and after.
    """

    spec: InsideSpec
    photo: Pixels
    grid: Grid
    prefix: int
    asks: str
    heads: tuple[int, ...]
    maps: Floats
    plain: Floats
    rollout: Floats
    plain_rollout: Floats
    similar: Floats
    hidden: NDArray[np.bool_]
    distance: Floats
    entropy: Floats
    diversity: Floats
    scores: tuple[tuple[str, float, float], ...]
    moved: float
    milliseconds: tuple[float, float]
    notes: tuple[str, ...]

    @property
    def top(self) -> float:
        """Where the fixed colour scale ends: `TOP` times an even share of the tokens."""
        return TOP / (self.prefix + self.grid.size)


def listed() -> list[str]:
    """Models that can be named in a link: those of the project and the user, and some of timm.

    Those of timm have fresh weights: good for seeing how a network is built.
    """
    from workbench.models import list_models

    ours = [i.name for i in list_models() if i.name != "default"]
    return ["default", *ours, *(name for name in own_networks() if name not in ours), *LISTED]


def own_networks() -> dict[str, Path]:
    """Networks in the user's folder of models that cannot reconstruct: folders of timm, encoders.

    By name, with what loads them; whether they can be loaded shows when they are.
    """
    from workbench.models import list_models
    from workbench.models.catalog import NAME, SUFFIXES, model_folders

    known = {info.name for info in list_models()}
    found: dict[str, Path] = {}
    for folder, _ in model_folders():
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            name = path.name if path.is_dir() else path.stem
            weights = path.suffix in SUFFIXES and not path.with_suffix(".json").exists()
            if (weights or (path / "config.json").is_file()) and NAME.fullmatch(name):
                found[name] = path
    return {name: path for name, path in found.items() if name not in known}


Run = tuple[Any, Any, float]  # `AttentionMaps`, scores, milliseconds
_loading, _runs_lock = threading.Lock(), threading.Lock()
_runs: dict[Any, Run] = {}


@lru_cache(maxsize=NETWORKS)
def _network(model: str) -> Any:
    from workbench.models import load_network

    found = load_network(own_networks().get(model, model))
    found.features(np.zeros((1, 3, *found.size), np.float32))  # the first run of all is slow
    return found


def network(model: str) -> Any:
    """The network of a name, loaded once."""
    with _loading:
        return _network(model)


def look_inside(spec: InsideSpec, pixels: Pixels | None = None, net: Any = None) -> Inside:
    """Run a network on a photo, plainly and with what `spec` changes, and read both.

    Args:
        spec: what to do.
        pixels: uint8 [h, w, 3] in place of the photo that `spec` names.
        net: a `Network` in place of the model that it names.

    Raises:
        BadInput: a network without maps, or a mask, query or intervention that does not fit it.
    """
    found = network(spec.model) if net is None else net
    found.check_maps()
    mask = _mask(spec, found)
    asked = (spec.photo, spec.fit, spec.model, spec.seed)
    whole = source(spec.photo) if pixels is None else pixels
    picture = fit(whole, found.size[0], found.size[1], spec.fit)
    images = picture.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255)

    def run(change: str, hides: Mask | None) -> Run:
        key = None if net is not None or pixels is not None else (*asked, change, hides, spec.hide)
        return _kept(key, lambda: _run(found, images, change, hides, spec.hide))

    plain = run("", None)
    changed = run(spec.change, mask) if spec.change or mask is not None else plain
    return _told(spec, picture, found, mask, plain, changed)


def _kept(key: Any, make: Callable[[], Run]) -> Run:
    """What was made last, so that another query, map or scale runs nothing anew."""
    with _runs_lock:
        if key is None or key not in _runs:
            made = make()
            if key is None:
                return made
            _runs[key] = made
            while len(_runs) > RUNS:
                del _runs[next(iter(_runs))]
        _runs[key] = _runs.pop(key)
        return _runs[key]


def _mask(spec: InsideSpec, found: Any) -> Mask | None:
    if not spec.mask:
        return None
    return MASKS.parse(spec.mask).sample(found.grid, count=1, seed=spec.seed)


def _run(found: Any, images: Floats, change: str, mask: Mask | None, hide: Hide) -> Run:
    """Maps, scores and the milliseconds of one run without maps."""
    from workbench.explain import attention_maps
    from workbench.interventions import intervene, recipes_of
    from workbench.models.taps import quietly

    recipes = recipes_of(change)
    told = {getattr(each, "mask", "") for each in recipes}
    if mask is not None and "given" not in told:
        first = "drop_tokens(layer=0)" if hide == "drop" else "hide_keys()"
        recipes = [*recipes_of(first), *recipes]
    with quietly(_work(found)), intervene(found, recipes, mask=mask, source=images):
        scores, spent = found.logits(images), list[float]()
        while len(spent) < TIMED and sum(spent) < TIMED_MS:
            start = time.perf_counter()
            found.logits(images)
            spent.append((time.perf_counter() - start) * 1000)
        return attention_maps(found, images), scores, min(spent)


def _work(found: Any) -> float:
    """Multiply-adds of one picture, roughly."""
    return float(sum(each.numel() for each in found.module.parameters()) * found.grid.size)


def _told(
    spec: InsideSpec,
    picture: Pixels,
    found: Any,
    mask: Mask | None,
    plain: Run,
    changed: Run,
) -> Inside:
    import torch

    from workbench.explain import head_measures

    measures = head_measures(changed[0])
    layers, heads = found.depth, max(found.heads)
    query = None if spec.query < 0 else spec.query
    asks = f"patch {spec.query}" if query is not None else "the class token"
    if query is None and not found.class_token:
        asks = "all patches, on average"
    spread = torch.full((2, layers, heads), float("nan"))
    diverse = torch.full((layers,), float("nan"))
    for at, layer in enumerate(measures.layers):
        spread[0, layer] = measures.distance[at].cpu()
        spread[1, layer] = measures.entropy[at].cpu()
        diverse[layer] = measures.diversity[at].cpu()
    hidden = changed[0].hidden
    moved = 1 - float(torch.cosine_similarity(plain[1], changed[1], dim=1)[0])
    return Inside(
        spec=spec,
        photo=picture,
        grid=found.grid,
        prefix=found.prefix,
        asks=asks,
        heads=found.heads,
        maps=_asked(changed[0], layers, heads, query),
        plain=_asked(plain[0], layers, heads, query),
        rollout=_rolled(changed[0], query),
        plain_rollout=_rolled(plain[0], query),
        similar=_similar(plain[0], changed[0], found),
        hidden=_marks(hidden, mask, found.grid),
        distance=spread[0].numpy(),
        entropy=spread[1].numpy(),
        diversity=diverse.numpy(),
        scores=_scores(found, plain[1], changed[1]),
        moved=max(0.0, moved),
        milliseconds=(plain[2], changed[2]),
        notes=_notes(spec, found),
    )


def _marks(hidden: Any, mask: Mask | None, grid: Grid) -> NDArray[np.bool_]:
    if hidden is not None:
        return np.asarray(hidden[0])
    return np.zeros(grid.shape, bool) if mask is None else mask.hidden[0]


def _asked(maps: Any, layers: int, heads: int, query: int | None) -> Floats:
    rows, cols = maps.grid.rows, maps.grid.cols
    made = np.full((layers, heads, rows, cols), np.nan, np.float32)
    for layer in maps.layers:
        each = maps.asked_by(layer, query)[0].cpu().numpy()
        made[layer, : len(each)] = each
    return made


def _rolled(maps: Any, query: int | None) -> Floats:
    from workbench.explain import rollout

    if not maps.layers:
        return np.full(maps.grid.shape, np.nan, np.float32)
    return rollout(maps, query=query)[0].cpu().numpy()


def _similar(plain: Any, changed: Any, found: Any) -> Floats:
    """Cosine of what each patch became with what it would have been, NaN where it has no token."""
    import torch

    first, second = plain.tokens[0, found.prefix :], changed.tokens[0, found.prefix :]
    made = np.full(found.grid.size, np.nan, np.float32)
    at = changed.patches[changed.layers[-1]] if changed.layers else None
    if at is not None:
        first = first[at[0]]
    if len(first) == len(second):
        places = np.arange(len(made)) if at is None else at[0].cpu().numpy()
        made[places] = torch.cosine_similarity(first, second, dim=1).cpu().numpy()
    return made.reshape(found.grid.shape)


def _scores(found: Any, plain: Any, changed: Any) -> tuple[tuple[str, float, float], ...]:
    if not found.classes:
        return ()
    first, second = (each.softmax(1)[0].cpu().numpy() for each in (plain, changed))
    leading = np.argsort(-np.maximum(first, second), kind="stable")[:5]
    name = found.labels.__getitem__ if found.labels else lambda at: f"class {at}"
    return tuple((name(int(at)), float(first[at]), float(second[at])) for at in leading)


def _notes(spec: InsideSpec, found: Any) -> tuple[str, ...]:
    notes: list[str] = []
    if spec.model.startswith(NAMED):
        notes.append(
            f"{spec.model} has fresh weights here: its maps show how it is built, not what it "
            "learnt."
        )
    if "source" in {want for each in _members(spec) for want in each.wants}:
        notes.append("Activations are taken from this photo itself, before anything was changed.")
    return tuple(notes)


def _members(spec: InsideSpec) -> list[Any]:
    from workbench.interventions import recipes_of

    return list(recipes_of(spec.change))
