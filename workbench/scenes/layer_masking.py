"""A photo with parts missing: what a classifier says by way of removing, where the mask goes."""

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.data.images import fit
from workbench.errors import BadInput
from workbench.masks import MASKS, Grid
from workbench.scenes.inside import network
from workbench.scenes.layer_masking_spec import LayerMaskingSpec
from workbench.scenes.photos import Pixels, source

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
PAINTED = ("grey", "black", "blur", "neighbour")
CELL, EIGHTHS = 16, 8  # pixels of a cell of a convnet; cells a side of a small picture
WHOLE = "whole"
LAYERS = 4  # of a transformer's blocks, evenly spaced
HATCH = 4  # pixels of the pattern that stands for nothing
PALE, PALER = 225, 245


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer's map: `moved` [h, w], 1 minus the cosine of each place with the whole picture's.

    NaN where nothing is: a hidden place of a layer mask, or a token that was dropped.
    """

    name: str
    moved: Floats


@dataclass(frozen=True, eq=False)
class Answer:
    """What is said by one way of removing.

    `shown` is the picture that the network sees, a pattern where parts are missing inside it.
    `probabilities` float32 [classes]; `entropy` in bits. `note` tells what made an answer
    impossible; the rest is then empty.
    """

    way: str
    recipe: str
    shown: Pixels
    probabilities: Floats
    layers: tuple[Layer, ...]
    note: str = ""

    @property
    def said(self) -> int:
        """The class that is said."""
        return int(self.probabilities.argmax())

    @property
    def confidence(self) -> float:
        """The probability of the class that is said."""
        return float(self.probabilities.max())

    @property
    def entropy(self) -> float:
        """Of the probabilities, in bits."""
        p = self.probabilities.astype(float)
        return float(-(p * np.log2(np.where(p > 0, p, 1))).sum()) + 0.0


@dataclass(frozen=True, eq=False)
class Answers:
    """All ways side by side, the whole picture first."""

    spec: LayerMaskingSpec
    kind: str
    grid: Grid
    hidden: Bools
    labels: tuple[str, ...]
    each: tuple[Answer, ...]
    notes: tuple[str, ...]

    def label(self, number: int) -> str:
        """Name of a class."""
        return self.labels[number] if number < len(self.labels) else f"class {number}"


def cells(found: Any) -> Grid:
    """What is removed at once: patches of a transformer, squares of a convnet's picture."""
    if found.kind != "convnet":
        return found.grid
    rows, cols = (each // CELL if each >= CELL * EIGHTHS else EIGHTHS for each in found.size)
    return Grid(rows, cols, patch=max(1, found.size[0] // rows))


def ways(spec: LayerMaskingSpec, kind: str) -> dict[str, str]:
    """Ways of removing that go with a network, name -> recipe."""
    inside = {
        "convnet": {"layer_mask": spec.layer_mask},
        "vit": {"drop_tokens": "drop_tokens", "hide_keys": "hide_keys"},
    }
    return {**{name: name for name in PAINTED}, **inside.get(kind, {})}


def answers(spec: LayerMaskingSpec, pixels: Pixels | None = None, net: Any = None) -> Answers:
    """Ask a classifier about a photo with parts missing, once by each way of removing.

    Args:
        spec: what to do.
        pixels: uint8 [h, w, 3] in place of the photo that `spec` names.
        net: a `Network` in place of the one that it names.

    Raises:
        BadInput: a network without classes, or a mask that does not fit it.
    """
    found = classifier(spec, net)
    grid = cells(found)
    hidden = MASKS.parse(spec.mask).sample(grid, count=1, seed=spec.seed).hidden
    picture = fit(
        source(spec.photo) if pixels is None else pixels, found.size[0], found.size[1], spec.fit
    )
    image = as_images(picture[None])
    whole, plain = _run(found, None, image, hidden)
    first = Answer(WHOLE, "", picture, whole, ())
    each = [first]
    for way, recipe in ways(spec, found.kind).items():
        each.append(_answer(found, way, recipe, picture, image, hidden, plain))
    told = _notes(spec, found)
    return Answers(spec, found.kind, grid, hidden[0], found.labels, tuple(each), told)


def classifier(spec: LayerMaskingSpec, net: Any = None) -> Any:
    """The network that is asked.

    Raises:
        BadInput: it has no classes.
    """
    found = network(spec.network) if net is None else net
    if not found.classes:
        raise BadInput(
            f"{found.name} has no head, so it says no class; take a classifier, such as a run of "
            "the objective supervised."
        )
    return found


def as_images(pictures: NDArray[np.uint8]) -> Floats:
    """uint8 [n, h, w, 3] as float32 [n, 3, h, w] in [0, 1]."""
    return np.ascontiguousarray(pictures.transpose(0, 3, 1, 2), np.float32) / np.float32(255)


def _answer(
    found: Any, way: str, recipe: str, picture: Pixels, image: Floats, hidden: Bools, plain: Any
) -> Answer:
    from workbench.explain.removal import removal, stretched

    operator = removal(recipe)
    pixels = stretched(hidden, found.size)
    shown = _hatched(picture, pixels[0])
    if operator.paints:
        painted = operator.picture(image[0], pixels)[0].numpy()
        shown = np.rint(painted.transpose(1, 2, 0).clip(0, 1) * 255).astype(np.uint8)
    try:
        said, maps = _run(found, operator, image, hidden)
    except BadInput as refusal:
        return Answer(way, recipe, shown, np.zeros(1, np.float32), (), str(refusal))
    layers = [
        Layer(name, _moved(values, plain[name][0], visible))
        for name, (values, visible) in maps.items()
    ]
    return Answer(way, str(operator), shown, said, tuple(layers))


def _run(found: Any, operator: Any, image: Floats, hidden: Bools) -> tuple[Floats, dict[str, Any]]:
    """Probabilities, and by layer its map [c, h, w] with what is visible in it, bool [h, w]."""
    import torch

    maps: dict[str, Any] = {}
    drops = getattr(getattr(operator, "operator", None), "name", "") == "drop_tokens"
    with torch.no_grad(), ExitStack() as stack:
        for name, module in _watched(found):

            def keep(module: Any, args: Any, out: Any, name: str = name) -> None:
                maps[name] = _map(found, out, hidden[0] if drops else None)

            stack.callback(module.register_forward_hook(keep).remove)
        if operator is None:
            scores = found.logits(image)
        else:
            scores = operator.each(found, image, hidden)
    return scores.softmax(1)[0].float().cpu().numpy(), maps


def _watched(found: Any) -> list[tuple[str, Any]]:
    """Stages of a convnet; a few blocks of a transformer."""
    if found.kind == "convnet":
        return [(f"{each.name}, every {each.stride} px", each.module) for each in found.stages]
    if found.kind != "vit":
        return []
    at = sorted({round(each) for each in np.linspace(0, found.depth - 1, LAYERS)})
    return [(f"block {layer}", found.blocks[layer]) for layer in at]


def _map(found: Any, out: Any, dropped: Bools | None) -> tuple[Floats, Bools]:
    """A layer's output as [c, h, w], and where something is."""
    seen = getattr(out, "visible", None)
    values = getattr(out, "clean", out)[0].float().cpu().numpy()
    if found.kind == "convnet":
        there = np.ones(values.shape[1:], bool)
        return values, there if seen is None else seen[0, 0].cpu().numpy() > 0
    grid, tokens = found.grid, values[found.prefix :]
    there = np.ones(grid.size, bool) if dropped is None else ~dropped.ravel()
    made = np.zeros((grid.size, tokens.shape[1]), np.float32)
    made[there] = tokens
    return made.T.reshape(-1, *grid.shape), there.reshape(grid.shape)


def _moved(values: Floats, plain: Floats, visible: Bools) -> Floats:
    """1 minus the cosine of each place, NaN where nothing is."""
    norms = np.linalg.norm(values, axis=0) * np.linalg.norm(plain, axis=0)
    alike = (values * plain).sum(0) / np.where(norms > 0, norms, 1)
    # Two places of zeros are the same, and one of zeros is like nothing.
    alike = np.where(norms > 0, alike, np.all(values == plain, axis=0))
    return np.where(visible, np.clip(1 - alike, 0, 2), np.nan).astype(np.float32)


def _hatched(picture: Pixels, hidden: Bools) -> Pixels:
    """The photo with a pale pattern where it is missing."""
    step = max(2, picture.shape[0] // 32) if picture.shape[0] < HATCH * 32 else HATCH
    rows, cols = np.indices(hidden.shape) // step
    pattern = np.where((rows + cols) % 2, PALE, PALER).astype(np.uint8)
    return np.where(hidden[..., None], pattern[..., None], picture)


def _notes(spec: LayerMaskingSpec, found: Any) -> tuple[str, ...]:
    if not found.fresh:
        return ()
    return (
        f"{spec.network} has fresh weights here: what it says means nothing, only how the mask "
        "goes through it. Train a classifier (objective supervised) or put yours into models.",
    )
