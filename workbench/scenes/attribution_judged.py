"""Maps judged: curves, ROAD, infidelity, sensitivity, randomised weights; and who agrees."""

import copy
from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput
from workbench.masks import Grid
from workbench.scenes.attribution_seen import Count, Made, Seen, counted, planned, steps_of
from workbench.scenes.attribution_spec import AttributionSpec

BASELINES = ("random", "centre")
CURVE, ROAD_SHARES, SETS = 21, 5, 40
LAYERS = 3  # how often weights are drawn anew: the head, half of the layers, all
NEAR = 0.02  # largest change of a pixel for the sensitivity, captum's


@dataclass(frozen=True, eq=False)
class Judged:
    """One map's marks.

    `curves` are `Curve`s, `road` a `Road`; `infidelity` is a share, `sensitivity` a relative
    change. `layers` counts the last layers drawn anew and `randomised` holds the rank correlation
    with the map that is found then. What a baseline has by its making is None.
    """

    row: int
    method: str
    baseline: bool
    curves: tuple[Any, ...]
    road: Any
    infidelity: float
    sensitivity: float | None = None
    layers: tuple[int, ...] = ()
    randomised: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class Agreed:
    """An `Agreement` of one network's maps, with a remark on what could not take part."""

    row: int
    found: Any
    notes: tuple[str, ...] = ()


def planned_judging(spec: AttributionSpec, seen: Seen) -> int:
    """About how many pictures the judgement shows."""
    baselines = sum(f"{name}()" not in spec.methods for name in BASELINES)
    return SETS + baselines * _each(spec) + sum(_of(spec, seen, each) for each in spec.methods)


def _each(spec: AttributionSpec) -> int:
    """Pictures of the curves and of ROAD of one map."""
    return 2 * CURVE * len(spec.ways) + 2 * ROAD_SHARES * spec.draws


def _of(spec: AttributionSpec, seen: Seen, method: str) -> int:
    """Pictures of everything that a method's map is judged by."""
    return _each(spec) + planned(method, seen) * (spec.draws + LAYERS)


def judged(spec: AttributionSpec, seen: Seen, count: Count) -> Generator[Made]:
    """Judge every map of a network that came to be, and the baselines beside them."""
    from workbench.explain.attributing import explain
    from workbench.explain.faithful import random_falls
    from workbench.explain.likeness import asked_of

    maps = _cells(seen)
    if not maps:
        yield count.left_out(planned_judging(spec, seen))
        return
    yield count.left_out(sum(_of(spec, seen, each) for each in spec.methods if each not in maps))
    network = asked_of(seen.network, seen.image)
    target = next(iter(seen.maps.values())).target
    for name in BASELINES:
        maps.setdefault(
            f"{name}()",
            explain(network, seen.image, target, name, grid=seen.grid, seed=spec.seed).values,
        )
    way = _fitting(spec.remove, network, spec.ways)
    falls = random_falls(
        network, seen.image, target, (seen.grid.rows, seen.grid.cols), way, draws=SETS,
        seed=spec.seed, batch=spec.batch,
    )  # fmt: skip
    yield count.after(SETS)
    for name, cells in maps.items():
        made = yield from _marks(spec, seen, network, target, name, cells, falls, count)
        yield count.after(0, judged=made)
        if not made.baseline:
            stable = yield from _sensitivity(spec, seen, name, count)
            layers, drawn = yield from _randomised(spec, seen, name, count)
            made = replace(made, sensitivity=stable, layers=layers, randomised=drawn)
            yield count.after(0, judged=made)


def _fitting(remove: str, network: Any, ways: tuple[str, ...]) -> str:
    """The chosen operator if it goes with the network, else the first that does."""
    from workbench.explain.removal import removal

    for each in (remove, *ways):
        try:
            removal(each).check(network)
            return each
        except BadInput:
            continue
    return "grey()"


def _marks(
    spec: AttributionSpec, seen: Seen, network: Any, target: int, name: str, cells: Any, falls: Any,
    count: Count,
) -> Generator[Made, None, Judged]:  # fmt: skip
    from workbench.explain.faithful import infidelity_of, road_of
    from workbench.explain.judging import KINDS, curve

    curves: list[Any] = []
    for way in spec.ways:
        for kind in KINDS:
            try:
                curves.append(
                    curve(network, seen.image, target, cells, kind, way, steps=CURVE - 1,
                          batch=spec.batch)
                )  # fmt: skip
            except BadInput:  # an operator of another kind of network has no curve here
                pass
            yield count.after(CURVE)
    road = road_of(
        network, seen.image, target, cells, draws=spec.draws, seed=spec.seed, batch=spec.batch
    )
    yield count.after(2 * ROAD_SHARES * spec.draws)
    baseline = name not in seen.maps
    return Judged(seen.row, name, baseline, tuple(curves), road, infidelity_of(cells, falls))


def _sensitivity(
    spec: AttributionSpec, seen: Seen, method: str, count: Count
) -> Generator[Made, None, float]:
    """Max-sensitivity (arXiv:1901.09392): random changes of each pixel by at most `NEAR`."""
    from workbench.explain.judging import sensitivity

    rng, budget = np.random.default_rng(spec.seed), planned(method, seen)
    target, again = seen.maps[method].target, list[Any]()
    for _ in range(spec.draws):
        noise = rng.uniform(-NEAR, NEAR, seen.image.shape)
        near = np.clip(seen.image + noise, 0, 1).astype(np.float32)
        found = yield from counted(_asked(spec, seen, method, target, near), count, budget)
        again.append(found.values)
        yield count.after(budget)
    return sensitivity(seen.maps[method].values, again)


def _randomised(
    spec: AttributionSpec, seen: Seen, method: str, count: Count
) -> Generator[Made, None, tuple[tuple[int, ...], tuple[float, ...]]]:
    """Redraw the head, half of the layers, all layers of a copy, and explain anew."""
    from workbench.explain.judging import layers_of, randomised, rank_correlation

    budget, before = planned(method, seen), seen.maps[method]
    total = len(layers_of(seen.network))
    layers = tuple(dict.fromkeys((1, max(1, total // 2), total)))
    found: list[float] = []
    for many in layers:
        other = replace_network(seen, copy.deepcopy(seen.network))  # pages go on with the first
        try:
            with randomised(other.network, many, spec.seed):
                asked = _asked(spec, other, method, before.target, seen.image)
                after = yield from counted(asked, count, budget)
            found.append(rank_correlation(before.cells(seen.grid), after.cells(seen.grid)))
        except BadInput:  # such as Grad-CAM without a gradient: there is no such map any more
            found.append(0.0)
        yield count.after(budget)
    count.left_out(budget * (LAYERS - len(layers)))
    return layers, tuple(found)


def _cells(seen: Seen) -> dict[str, Any]:
    """The maps that say something, on the network's cells."""
    return {n: found.cells(seen.grid) for n, found in seen.maps.items() if not found.blank}


def replace_network(seen: Seen, network: Any) -> Seen:
    """The same picture for another network of the same shape."""
    return replace(seen, network=network)


def _asked(spec: AttributionSpec, seen: Seen, method: str, target: int, image: Any) -> Any:
    """Explain the class that was explained, by number."""
    fixed = str(target) if seen.network.classes else ""
    return steps_of(spec.replace(target=fixed), seen, method, image)


def agreed(spec: AttributionSpec, seen: Seen) -> Agreed | None:
    """Who points at the same cells; None where there is but one map and nothing beside it."""
    from workbench.explain.agreement import agreement
    from workbench.explain.attributing import explain

    maps, notes, painted = _cells(seen), list[str](), None
    if spec.mask:
        try:
            painted = painted_cells(spec, seen.grid)
        except BadInput as error:
            notes.append(str(error))
    if seen.network.kind == "vit" and "attention()" not in maps and maps:
        try:
            looked = explain(seen.network, seen.image, None, "attention", grid=seen.grid)
            maps["attention()"] = looked.cells(seen.grid)
            notes.append("Attention, which was not chosen, stands there to compare with.")
        except BadInput as error:
            notes.append(str(error))
    if not maps or len(maps) + (painted is not None) < 2:
        return None
    return Agreed(seen.row, agreement(maps, painted), tuple(notes))


def painted_cells(spec: AttributionSpec, grid: Grid) -> NDArray[np.bool_]:
    """The painted mask on the cells of a network: those it covers most, the same share of them.

    Raises:
        BadInput: a mask that cannot be drawn on this photo, or that hides nothing.
    """
    from workbench.explain.attribution import Attribution
    from workbench.scenes.compose import preview
    from workbench.scenes.spec import SceneSpec

    scene = SceneSpec(
        photo=spec.photo, fit=spec.fit, mask=spec.mask, model=spec.drawn_on, seed=spec.seed
    )
    drawn = preview(scene).mask.hidden[0]
    if not drawn.any():
        raise BadInput("the mask hides nothing, so there is nothing to compare; paint a patch.")
    covered = Attribution(drawn.astype(np.float32), 0, "", 0.0, "", "", 0).cells(grid)
    count = max(1, int(drawn.mean() * grid.size + 0.5))
    found = np.zeros(grid.size, bool)
    found[np.argsort(-covered.ravel(), kind="stable")[:count]] = True
    return found.reshape(grid.shape)
