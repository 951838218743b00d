"""Explain a prediction: one verb for every method and every way of removing."""

from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import torch

from workbench.errors import BadInput, shown
from workbench.explain.attribution import Attribution
from workbench.explain.likeness import asked_of
from workbench.explain.methods import METHODS, Asked, Method, Step
from workbench.explain.methods.method import Search
from workbench.explain.removal import BATCH, Removal, cells_of, removal
from workbench.fills import Fill
from workbench.interventions import Intervention
from workbench.interventions.intervention import exclusively
from workbench.masks import Grid
from workbench.models.network import Images, Network, network_of


class Stopped(Exception):
    """Raised inside a search that was asked to stop."""


def explain(
    model: Any,
    image: Images,
    target: int | str | None = None,
    method: str | Method = "integrated_gradients",
    remove_with: str | Removal | Fill | Intervention = "grey",
    *,
    grid: Grid | None = None,
    seed: int = 0,
    batch: int = BATCH,
    precision: str = "fp32",
    watch: Callable[[Step], bool | None] | None = None,
) -> Attribution:
    """Attribute what a network says of one picture to its parts.

    A network without classes is asked how like its features are to those of the whole picture, see
    `Likeness`: never for one coordinate of them.

    Args:
        model: whatever `network_of` understands.
        image: float32 [3, h, w] (or [1, 3, h, w]) in [0, 1].
        target: class by number (0 is a class as any other) or by name; None for the highest score.
        method: recipe of a method, see `METHODS`.
        remove_with: what "removed" means: a fill such as "grey", "black", "blur", "neighbour", or
            "layer_mask" (convnets), "drop_tokens", "hide_keys" (transformers).
        grid: cells that are removed; by default the network's patches, in a convnet 16 pixels or
            eighths of a small picture.
        seed: of whatever is drawn.
        batch: pictures at a time at most, which bounds the memory.
        precision: of the answers that methods with a removal get: "fp32"; "bf16", about twice as
            fast where the machine has it, scores then being off by some thousandths of the largest
            (on a trained classifier maps keep their ranks; where all falls are tiny they do not);
            or "auto", bf16 where it pays.
        watch: called with each `Step`; return True to stop.

    Raises:
        BadInput: no such class, method or operator, or some that do not go together.
        Stopped: `watch` said so.
    """
    steps = explaining(
        model, image, target, method, remove_with, grid=grid, seed=seed, batch=batch,
        precision=precision,
    )  # fmt: skip
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            return end.value
        if watch is not None and watch(step):
            steps.close()
            raise Stopped


def explaining(
    model: Any,
    image: Images,
    target: int | str | None = None,
    method: str | Method = "integrated_gradients",
    remove_with: str | Removal | Fill | Intervention = "grey",
    *,
    grid: Grid | None = None,
    seed: int = 0,
    batch: int = BATCH,
    precision: str = "fp32",
) -> Generator[Step, None, Attribution]:
    """The same step by step; between two steps the network is free for others."""
    network = network_of(model)
    chosen, operator = METHODS.parse(method), removal(remove_with)
    picture = _one(network, image)
    if chosen.removes:
        operator.check(network)
    if chosen.paints and not operator.paints:
        raise BadInput(
            f"{chosen.name} starts from a picture with everything removed, which {operator} does "
            "not have; remove with grey, black, mean, blur or neighbour."
        )
    with exclusively(network):
        if target is None:
            network = asked_of(network, picture)
        with torch.no_grad():
            scores = network.logits(torch.from_numpy(picture)[None])
    number = class_number(network, target, scores[0])
    cells = grid or cells_of(network, (picture.shape[1], picture.shape[2]))
    asked = Asked(network, picture, number, operator, cells, seed, batch, precision, scores)
    values = yield from _locked(network, chosen.search(asked))
    if not np.isfinite(values).all():
        raise BadInput(f"{chosen.name} gave values that are no numbers; take another method.")
    names = network.labels
    return Attribution(
        values=values,
        target=number,
        label=names[number] if number < len(names) else str(number),
        score=float(network.shares(scores)[0, number]),
        method=str(chosen),
        removal=str(operator) if chosen.removes else "",
        evaluations=asked.shown,
        notes=asked.notes,
    )


def class_number(network: Network, target: int | str | None, scores: torch.Tensor) -> int:
    """The class that a number, a name or None stands for.

    Raises:
        BadInput: a network without classes, or no such class.
    """
    if not network.classes:
        raise BadInput(
            f"{network.name} has no head, so that there is no class {shown(target)} to explain; "
            "leave the target out to explain what its features of this picture rest on."
        )
    if target is None:
        return int(scores.argmax())
    count = len(scores)
    if isinstance(target, str) and not target.strip().lstrip("-").isdigit():
        low = [name.lower() for name in network.labels]
        if target.lower() in low:
            return low.index(target.lower())
        some = ", ".join(network.labels[:12]) or f"no names, only numbers 0 to {count - 1}"
        raise BadInput(f"{shown(target)} is no class of {network.name}; it knows {some}.")
    number = int(target)
    if not 0 <= number < count:
        raise BadInput(f"class {number} is not there; {network.name} has 0 to {count - 1}.")
    return number


def _one(network: Network, image: Images) -> np.ndarray:
    values = image.detach().cpu().numpy() if isinstance(image, torch.Tensor) else np.asarray(image)
    picture = values[0] if values.ndim == 4 and len(values) == 1 else values
    if picture.ndim != 3 or len(picture) != 3:
        raise BadInput(
            f"the picture has the shape {values.shape}; give one, [3, h, w] with values in [0, 1]."
        )
    if network.kind == "convnet" or picture.shape[1:] == network.size:
        return np.ascontiguousarray(picture, np.float32)
    from workbench.models.taps import resized

    with torch.no_grad():
        fitted = resized(torch.from_numpy(np.ascontiguousarray(picture, np.float32))[None],
                         network.size)  # fmt: skip
    return fitted[0].numpy()


def _locked(network: Network, search: Search) -> Search:
    """Let nobody else into the network during a step."""
    while True:
        with exclusively(network):
            try:
                step = next(search)
            except StopIteration as end:
                return end.value
        yield step
