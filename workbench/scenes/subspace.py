"""The dimensions of a network's features in which two classes, or two photos, are alike (Hydra)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.data.images import fit
from workbench.data.samples import photos
from workbench.errors import BadInput
from workbench.scenes.inside import network
from workbench.scenes.layer_curves import data_of, fitted
from workbench.scenes.layer_masking import as_images
from workbench.scenes.merging import stepwise
from workbench.scenes.photos import source

Floats = NDArray[np.float32]
EACH, OTHERS, PLACES = 60, 200, 64  # pictures of a class, of others; places of a photo
STEPS, BATCH, OTHER_PHOTOS = 300, 64, 6
AXES = 2


@dataclass(frozen=True, eq=False)
class Subspace:
    """A step of learning gates; what was found comes with the last.

    `gates` float32 [d]; `chosen` are open dimensions, the widest first. `before` and `after` are
    mean cosines (within the pair, of the pair with others). `flat` and `picked` are float32 [n, 2],
    the features on their two main axes, in all dimensions and in the gated ones; `group` is 0, 1
    for the pair and 2 for others.
    """

    done: int
    total: int
    gates: Floats | None = None
    chosen: tuple[int, ...] = ()
    before: tuple[float, float] = (0.0, 0.0)
    after: tuple[float, float] = (0.0, 0.0)
    flat: Floats | None = None
    picked: Floats | None = None
    group: NDArray[np.int64] | None = None


def classes_of(name: str, net: Any = None) -> tuple[str, ...]:
    """Names of the classes that a network's data have, () where they have none."""
    from workbench.data.sets import DATASETS

    found = network(name) if net is None else net
    return DATASETS.parse(data_of(name, found.labels)).load(max(found.size), train=False).classes


def of_classes(
    name: str, first: str, second: str, *, price: float = 0.02, net: Any = None, data: str = ""
) -> Iterator[Subspace]:
    """Learn the gates for two classes of the network's data against all others.

    Raises:
        BadInput: a class that is not there, or the same one twice.
    """
    from workbench.data.sets import DATASETS

    found = network(name) if net is None else net
    recipe = data or data_of(name, found.labels)
    loaded = DATASETS.parse(recipe).load(max(found.size), train=False)
    if first == second or not {first, second} <= set(loaded.classes) or loaded.labels is None:
        raise BadInput(
            f"the classes are {first!r} and {second!r}, wanted two of "
            f"{', '.join(loaded.classes) or 'data with classes, which these have not'}."
        )
    numbers = [loaded.classes.index(each) for each in (first, second)]
    rest = ~np.isin(loaded.labels, numbers)
    places = [np.flatnonzero(loaded.labels == each)[:EACH] for each in numbers]
    places.append(np.flatnonzero(rest)[:OTHERS])
    groups = [pooled(found, fitted(loaded.images[at], found.size)) for at in places]
    yield from gated(groups, price)


def of_photos(
    name: str, first: str, second: str, *, price: float = 0.02, net: Any = None
) -> Iterator[Subspace]:
    """Learn the gates for the places of two photos against those of other bundled ones.

    Raises:
        BadInput: the same photo twice, or one that is not there.
    """
    if first == second:
        raise BadInput(f"both photos are {first}; take two.")
    found = network(name) if net is None else net
    others = [each.name for each in photos() if each.name not in (first, second)][:OTHER_PHOTOS]
    maps = [placed(found, each) for each in (first, second, *others)]
    yield from gated([maps[0], maps[1], np.concatenate(maps[2:])], price)


def gated(groups: list[Floats], price: float) -> Iterator[Subspace]:
    """Learn gates on three groups of features [n, d]."""
    import torch

    from workbench.sparsity.feature_gates import feature_gates

    tensors = [torch.from_numpy(each) for each in groups]

    def learn(watch: Any) -> Any:
        return feature_gates(
            *tensors, steps=STEPS, price=price, watch=lambda step, loss: watch(step)
        )

    steps, found = stepwise(learn), None
    while found is None:
        try:
            step = next(steps)
            if step % 20 == 0:
                yield Subspace(step, STEPS)
        except StopIteration as end:
            found = end.value
    every = np.concatenate(groups)
    scaled = every / np.maximum(every.std(0, ddof=1), 1e-6)
    gates = found.gates.numpy()
    yield Subspace(
        STEPS, STEPS, gates, tuple(found.chosen()), found.before, found.after,
        main_axes(scaled), main_axes(scaled * gates),
        np.repeat(np.arange(3), [len(each) for each in groups]),
    )  # fmt: skip


def main_axes(values: Floats) -> Floats:
    """Rows of length 1 on the two axes along which they vary most, [n, 2]."""
    ready = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
    centred = ready - ready.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    return (centred @ axes[:AXES].T).astype(np.float32)


def pooled(found: Any, images: Floats) -> Floats:
    """One feature a picture, the mean over its places, [n, d]."""
    parts = [places_of(found, images[at : at + BATCH]) for at in range(0, len(images), BATCH)]
    return np.concatenate(parts).mean(1)


def placed(found: Any, photo: str) -> Floats:
    """Features of the places of one photo, [places, d], evenly thinned out."""
    picture = fit(source(photo), found.size[0], found.size[1], "crop")
    every = places_of(found, as_images(picture[None]))[0]
    return every[:: max(1, len(every) // PLACES)]


def places_of(found: Any, images: Floats) -> Floats:
    """Features of all places of the last layer, [n, places, d]."""
    import torch

    with torch.no_grad():
        out = found.features(images).float().cpu().numpy()
    if found.kind == "convnet":
        return out.reshape(*out.shape[:2], -1).transpose(0, 2, 1)
    return out[:, found.prefix :]
