"""A photo seen from inside a network: its maps, what interventions change in them, and how much."""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.data.images import fit
from workbench.errors import BadInput
from workbench.masks import MASKS, Grid, Mask
from workbench.scenes.inside_spec import InsideSpec
from workbench.scenes.photos import Pixels, source

Floats = NDArray[np.float32]
# Where the fixed scale ends, in even shares: a token that gives every other one the same has 1.
TOP = 8.0
NETWORKS, RUNS = 3, 4
TIMED, TIMED_MS = 2, 60.0  # the best of so many runs, or of what fits into so many milliseconds


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


Run = tuple[Any, Any, Floats | None, float]  # maps, scores, over all layers, milliseconds
_loading, _runs_lock = threading.Lock(), threading.Lock()
_runs: dict[Any, Run] = {}


@lru_cache(maxsize=NETWORKS)
def _network(model: str, stamp: float) -> Any:
    from workbench.runs.networks import named_network

    found = named_network(model)
    found.features(np.zeros((1, 3, *found.size), np.float32))  # the first run of all is slow
    return found


def network(model: str) -> Any:
    """The network of a name, loaded once, and again when its file has changed."""
    from workbench.runs.networks import weights_time

    with _loading:
        return _network(model, weights_time(model))


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
        query = spec.query if spec.whole == "relevance" else None
        how = (change, hides, spec.hide, spec.part, spec.whole, query)
        key = None if net is not None or pixels is not None else (*asked, *how)
        return _kept(key, lambda: _run(spec, found, images, change, hides))

    decoding = spec.part == "decoder"
    if decoding and mask is None:
        raise BadInput(
            "nothing is hidden, so no mask token asks in the decoder; hide patches by a mask."
        )
    plain = run("", mask if decoding else None)
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


def _run(spec: InsideSpec, found: Any, images: Floats, change: str, mask: Mask | None) -> Run:
    """Maps, scores, the map of all layers, and the milliseconds of one run without maps."""
    from workbench.explain import attention_maps, decoder_maps
    from workbench.interventions import intervene, recipes_of
    from workbench.models.taps import quietly

    recipes = recipes_of(change)
    told = {getattr(each, "mask", "") for each in recipes}
    if mask is not None and "given" not in told and spec.part == "encoder":
        first = "drop_tokens(layer=0)" if spec.hide == "drop" else "hide_keys()"
        recipes = [*recipes_of(first), *recipes]
    with ExitStack() as stack:
        stack.enter_context(quietly(_work(found)))
        stack.enter_context(intervene(found, recipes, mask=mask, source=images))
        if spec.part == "decoder":
            assert mask is not None
            start = time.perf_counter()
            maps = decoder_maps(found, images, mask)
            spent = (time.perf_counter() - start) * 1000
            return maps, maps.tokens.flatten(1), _rolled(maps, spec.query), spent
        scores, times = None, list[float]()
        while scores is None or (len(times) < TIMED and sum(times) < TIMED_MS):
            start = time.perf_counter()
            scores = found.logits(images)
            times.append((time.perf_counter() - start) * 1000)
        maps = attention_maps(found, images)
        return maps, scores, _over_layers(spec, found, images, maps), min(times)


def _over_layers(spec: InsideSpec, found: Any, images: Floats, maps: Any) -> Floats | None:
    """What stands for all layers; None where it is made for every query anew."""
    from workbench.explain import relevance
    from workbench.explain.similarity import similar_patches

    if spec.whole == "relevance":
        query = None if spec.query < 0 else spec.query
        return relevance(found, images, query=query)[0].cpu().numpy()
    if spec.whole == "similarity":
        if not found.class_token:
            raise BadInput(f"{found.name} has no class token to compare with; take the rollout.")
        patches = maps.tokens[:, found.prefix :]
        alike = similar_patches(maps.tokens[:, 0], patches, Grid(1, patches.shape[1]), count=1)
        return _placed(alike.map[0, 0].cpu().numpy(), maps)
    return None


def _placed(values: Floats, maps: Any) -> Floats:
    """One value a token on the grid of patches, NaN where a patch has none."""
    made = np.full(maps.grid.size, np.nan, np.float32)
    at = maps.patches[maps.layers[-1]] if maps.layers else None
    made[np.arange(len(made)) if at is None else at[0].cpu().numpy()] = values
    return made.reshape(maps.grid.shape)


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
    decoding = spec.part == "decoder"
    each = found.whole.decoder_shape if decoding else None
    counts: tuple[int, ...] = found.heads if each is None else (each.heads,) * each.depth
    layers, heads = len(counts), max(counts)
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
        heads=counts,
        maps=_asked(changed[0], layers, heads, query),
        plain=_asked(plain[0], layers, heads, query),
        rollout=_rolled(changed[0], spec.query) if changed[2] is None else changed[2],
        plain_rollout=_rolled(plain[0], spec.query) if plain[2] is None else plain[2],
        similar=_similar(plain[0], changed[0], 0 if decoding else found.prefix),
        hidden=_marks(hidden, mask, found.grid),
        distance=spread[0].numpy(),
        entropy=spread[1].numpy(),
        diversity=diverse.numpy(),
        scores=() if decoding else _scores(found, plain[1], changed[1]),
        moved=max(0.0, moved),
        milliseconds=(plain[3], changed[3]),
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


def _rolled(maps: Any, asks: int) -> Floats:
    from workbench.explain import rollout

    if not maps.layers:
        return np.full(maps.grid.shape, np.nan, np.float32)
    return rollout(maps, query=None if asks < 0 else asks)[0].cpu().numpy()


def _similar(plain: Any, changed: Any, prefix: int) -> Floats:
    """Cosine of what each patch became with what it would have been, NaN where it has no token."""
    import torch

    first, second = plain.tokens[0, prefix:], changed.tokens[0, prefix:]
    at = changed.patches[changed.layers[-1]] if changed.layers else None
    if at is not None:
        first = first[at[0]]
    if len(first) != len(second):
        return np.full(plain.grid.shape, np.nan, np.float32)
    return _placed(torch.cosine_similarity(first, second, dim=1).cpu().numpy(), changed)


def _scores(found: Any, plain: Any, changed: Any) -> tuple[tuple[str, float, float], ...]:
    if not found.classes:
        return ()
    first, second = (each.softmax(1)[0].cpu().numpy() for each in (plain, changed))
    leading = np.argsort(-np.maximum(first, second), kind="stable")[:5]
    name = found.labels.__getitem__ if found.labels else lambda at: f"class {at}"
    return tuple((name(int(at)), float(first[at]), float(second[at])) for at in leading)


def _notes(spec: InsideSpec, found: Any) -> tuple[str, ...]:
    notes: list[str] = []
    if found.fresh:
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
