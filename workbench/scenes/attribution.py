"""A photo explained: maps of several methods, of one network or two, told as they come."""

import threading
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput
from workbench.scenes.attribution_judged import agreed, judged, planned_judging
from workbench.scenes.attribution_seen import (
    Count,
    Made,
    MapMade,
    Said,
    Seen,
    counted,
    look,
    planned,
    steps_of,
)
from workbench.scenes.attribution_spec import AttributionSpec
from workbench.scenes.inside import network
from workbench.scenes.photos import Pixels, source

Floats = NDArray[np.float32]
KEPT = 48
FEW = 20  # classes that a photo of anything will often not be among
CLIPPED, MANY = 0.995, 4096  # of a map of so many values or more, this share sets the scale
ATTENTIVE = ("attention", "rollout", "relevance")
KINDS = {"vit": "vision transformers", "windows": "Swin", "convnet": "convnets"}
_kept: dict[Any, Any] = {}
_lock = threading.Lock()


def attributions(
    spec: AttributionSpec, pixels: Pixels | None = None, networks: Sequence[Any] = ()
) -> Generator[Made]:
    """Explain a photo, step by step: scores, maps, agreement and, where wished, the judgement.

    A method that is refused is told in its place; the others go on. What was made before is kept.

    Args:
        spec: what to do.
        pixels: uint8 [h, w, 3] in place of the photo that `spec` names.
        networks: a `Network` for each that it names, in place of what is loaded by name.

    Raises:
        BadInput: no such photo, or a painted mask that cannot be drawn.
    """
    whole = source(spec.photo) if pixels is None else pixels
    given = pixels is not None or bool(networks)
    rows: list[Seen] = []
    count = Count(0)
    for row, name in enumerate(spec.networks):
        try:
            net = networks[row] if networks else network(name)
            rows.append(look(spec, row, name, net, whole))
        except BadInput as error:
            for method in spec.methods:
                yield count.after(0, map=MapMade(row, name, method, problem=str(error)))
            continue
        yield count.after(0, said=_said(spec, rows[-1]))
    count.total = sum(planned(each, seen) for seen in rows for each in spec.methods)
    if spec.judge:
        count.total += sum(planned_judging(spec, seen) for seen in rows)
    for method in spec.methods:
        for seen in rows:
            yield from _map(spec, seen, method, count, kept=not given)
    for seen in rows:
        yield count.after(0, agreement=agreed(spec, seen))
    if spec.judge:
        for seen in rows:
            yield from judged(spec, seen, count)


def _map(
    spec: AttributionSpec, seen: Seen, method: str, count: Count, kept: bool
) -> Generator[Made]:
    from workbench.explain.methods import METHODS
    from workbench.runs.networks import weights_time

    chosen, budget = METHODS.parse(method), planned(method, seen)
    remove = spec.remove if chosen.removes else ""
    key = (seen.name, weights_time(seen.name), spec.photo, spec.fit, spec.target, method, remove,
           spec.batch, spec.seed)  # fmt: skip
    found = _known(key) if kept else None
    ended = count.left_out if found is not None else count.after
    try:
        if found is None:
            found = yield from counted(steps_of(spec, seen, method), count, budget)
            if kept:
                _keep(key, found)
    except BadInput as error:
        made = MapMade(seen.row, seen.name, method, problem=str(error))
        yield count.left_out(budget, map=made)
        return
    seen.maps[method] = found
    sizes = np.abs(found.values)
    top = float(np.quantile(sizes, CLIPPED)) if sizes.size >= MANY else float(sizes.max())
    made = MapMade(
        seen.row, seen.name, method, found, found.cells(seen.grid), top or float(sizes.max()),
        chosen.signed,
    )  # fmt: skip
    yield ended(budget, map=made)


def _known(key: Any) -> Any:
    with _lock:
        if key in _kept:
            _kept[key] = _kept.pop(key)
        return _kept.get(key)


def _keep(key: Any, found: Any) -> None:
    with _lock:
        _kept[key] = found
        while len(_kept) > KEPT:
            del _kept[next(iter(_kept))]


def _said(spec: AttributionSpec, seen: Seen) -> Said:
    import torch

    net, notes = seen.network, list[str]()
    scores: tuple[tuple[int, str, float], ...] = ()
    if net.classes:
        with torch.no_grad():
            shares = net.shares(net.logits(seen.image[None]))[0].cpu().numpy()
        best = np.argsort(-shares, kind="stable")[:5]
        scores = tuple((int(at), class_name(net, int(at)), float(shares[at])) for at in best)
        if net.classes <= FEW:
            notes.append(
                f"{seen.name} knows {net.classes} classes and answers one of them, whatever the "
                "photo shows."
            )
    else:
        notes.append(
            f"{seen.name} knows no classes: explained is how like its features stay to those of "
            "the whole photo, 1 for the same; red is what they rest on. The head of a timm "
            "checkpoint is read with timm:NAME and weights."
        )
    if net.fresh:
        notes.append(
            f"{seen.name} has random weights here: its maps show how methods work, not what a "
            "trained network has learnt."
        )
    return Said(seen.row, seen.name, seen.photo, seen.grid, scores, tuple(notes))


def class_name(net: Any, number: int) -> str:
    """What a class is called."""
    return net.labels[number] if number < len(net.labels) else f"class {number}"


@dataclass(frozen=True)
class Choices:
    """What can be chosen for a network: `classes` by name, and why what cannot, cannot ("" = can).

    `methods` and `removals` map a name to its reason.
    """

    kind: str
    classes: tuple[str, ...]
    methods: Mapping[str, str]
    removals: Mapping[str, str]


def choices(name: str) -> Choices:
    """What can be chosen for a network.

    Raises:
        BadInput: it cannot be loaded.
    """
    from workbench.explain.methods import METHODS
    from workbench.explain.removal import INSIDE
    from workbench.fills import FILLS
    from workbench.interventions import INTERVENTIONS

    found = network(name)
    attentive = found.kind == "vit"
    if attentive:
        try:
            found.check_maps()
        except BadInput:
            attentive = False
    methods = {each: "" for each in METHODS.names()}
    for each in ATTENTIVE:
        methods[each] = "" if attentive else "needs attention over all patches"
    if found.kind == "windows":
        methods["grad_cam"] = "tokens lie in shifted windows"
    removals = {each: "" for each in FILLS.names() if not FILLS.get(each).transparent}
    for each in INSIDE:
        on = INTERVENTIONS.get(each).on
        fits = found.kind in on
        removals[each] = "" if fits else f"only in {' and '.join(KINDS[kind] for kind in on)}"
    classes = tuple(class_name(found, at) for at in range(found.classes))
    return Choices(found.kind, classes, methods, removals)
