"""Weights of a classifier hidden: which ones, as pictures, and what the rest is still worth."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput
from workbench.models.catalog import own_networks
from workbench.scenes.inside import network
from workbench.scenes.layer_curves import data_of, fitted
from workbench.scenes.weights_spec import WeightsSpec, free_name

KEPT = (1.0, 0.8, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05)
LEARN, BATCH = 512, 64  # pictures to learn from, and of a step
SMALL, LARGE = 64, 256  # sides of a layer's picture, in the grid and alone
MADE = 4  # masks kept for looking closer and for saving
FLAT = 2  # axes of a weight that is a matrix already
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Subject:
    """A classifier with pictures: `images` float32 [n, 3, h, w] in [0, 1], `labels` int64 [n].

    `known` is False where the data have other classes than the network: then labels are what the
    network itself says, and the measure is how often it says the same.
    """

    network: Any
    model: Any
    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    learn: NDArray[np.float32]
    answers: NDArray[np.int64]
    known: bool

    @property
    def measure(self) -> str:
        """What is counted."""
        return "told right" if self.known else "same answer as the whole network"

    def task(self) -> Any:
        """Batches to learn from; step by step the same."""
        import torch

        from workbench.sparsity import Task

        images, labels = torch.from_numpy(self.learn), torch.from_numpy(self.answers)

        def batches(step: int) -> tuple[Any, Any]:
            at = (torch.arange(BATCH) + step * BATCH) % len(images)
            return images[at], labels[at].to(self.network.device)

        return Task(batches)

    def score(self) -> Any:
        """Hits of the network as it is now, a `Score` with its Wilson interval."""
        from workbench.evaluations.evaluation import scored

        return scored(said(self.model, self.images), self.labels)


@dataclass(frozen=True, eq=False)
class LayerMask:
    """One layer: `kept` float32 [h, w], the share that is kept in each spot of the picture."""

    name: str
    shape: tuple[int, ...]
    ratio: float
    kept: NDArray[np.float32]


@dataclass(frozen=True)
class Value:
    """What is left of a network where `kept` of its weights are: the share of hits, 95%.

    `note` tells why a way does not go with the network; there are no numbers then.
    """

    way: str
    kept: float = 1.0
    share: float = 0.0
    low: float = 0.0
    high: float = 0.0
    note: str = ""


@dataclass(frozen=True, eq=False)
class Hiding:
    """A step of choosing weights; `masks` and `before`/`after` come with the last."""

    done: int
    total: int
    loss: float | None = None
    masks: Any = None
    before: Any = None
    after: Any = None


def said(model: Any, images: NDArray[np.float32]) -> NDArray[np.int64]:
    """The class of each picture, int64 [n]."""
    import torch

    with torch.no_grad():
        parts = [model(images[at : at + BATCH]).argmax(1) for at in range(0, len(images), BATCH)]
    return torch.cat(parts).cpu().numpy()


def answering(found: Any) -> Any:
    """The network as one module from pictures in [0, 1] to scores: what sparsifiers work on."""
    from workbench.models.answering import Answering

    if not found.classes:
        raise BadInput(
            f"{found.name} has no head, so nothing says what its weights are worth; take a "
            "classifier, such as a run of the objective supervised."
        )
    return Answering(found)


@lru_cache(maxsize=2)
def subject(name: str, count: int, seed: int) -> Subject:
    """The network of a name with pictures of its own data; bundled photos, where it has none."""
    return subject_of(network(name), name, count, seed)


def subject_of(found: Any, name: str, count: int, seed: int, data: str = "") -> Subject:
    """The same of any network; `data` is the recipe of a data set.

    Pictures to learn from and to measure on are of the test part, none is both.
    """
    from workbench.data.sets import DATASETS

    model = answering(found)
    loaded = DATASETS.parse(data or data_of(name, found.labels)).load(max(found.size), train=False)
    rows = np.random.default_rng(seed).permutation(len(loaded))
    count = min(count, max(1, len(rows) // 2))
    test, learn = (loaded.rows(at) for at in (rows[:count], rows[count : count + LEARN]))
    images = [fitted(each.images, found.size) for each in (test, learn)]
    known = found.classes == len(loaded.classes) and loaded.labels is not None
    pairs = zip((test, learn), images, strict=True)
    labels: list[Any] = [each.labels if known else said(model, x) for each, x in pairs]
    return Subject(found, model, images[0], labels[0], images[1], labels[1], known)


def hide(spec: WeightsSpec, of: Subject | None = None) -> Iterator[Hiding]:
    """Choose the weights to hide, and measure the network with and without them.

    Raises:
        BadInput: a way that does not go with the network.
    """
    from workbench.sparsity import SPARSIFIERS, hiding

    found = of or subject(spec.network, spec.count, spec.seed)
    steps, total = _masks(SPARSIFIERS.parse(spec.hide), found, spec.seed), 1
    masks = None
    while masks is None:
        at, masks = _next(steps)
        if at is not None:
            total = at.steps + 1
            yield Hiding(at.step + 1, total, at.loss)
    before = found.score()
    with hiding(found.model, masks):
        after = found.score()
    if of is None:
        _made[spec] = masks
        while len(_made) > MADE:
            del _made[next(iter(_made))]
    yield Hiding(total, total, None, masks, before, after)


_made: dict[WeightsSpec, Any] = {}


def made(spec: WeightsSpec) -> Any:
    """The masks that `hide` chose for this spec, None where it has not yet, or long ago."""
    return _made.get(spec)


def _masks(way: Any, found: Subject, seed: int) -> Generator[Any, None, Any]:
    return way.steps_of(found.model, found.task() if way.learns else None, seed)


def _next(steps: Generator[Any, None, Any]) -> tuple[Any, Any]:
    """The next step of a search and None, or None and its masks."""
    try:
        return next(steps), None
    except StopIteration as end:
        return None, end.value


def values(spec: WeightsSpec, of: Subject | None = None) -> Iterator[Value | None]:
    """What is left at growing sparsity, by each way of the spec; learnt ways are one point each.

    None comes in between, while a way learns.
    """
    from workbench.sparsity import SPARSIFIERS, hiding

    found = of or subject(spec.network, spec.count, spec.seed)
    for recipe in spec.ways:
        for way in line(SPARSIFIERS.parse(recipe)):
            masks = None
            try:
                steps = _masks(way, found, spec.seed)
                while masks is None:
                    at, masks = _next(steps)
                    if at is not None:
                        yield None
            except BadInput as refusal:
                yield Value(recipe, note=str(refusal))
                continue
            with hiding(found.model, masks):
                score = found.score()
            yield Value(recipe, 1 - masks.ratio, score.accuracy, score.low, score.high)


def line(way: Any) -> list[Any]:
    """A way at every share that it can be asked for."""
    from dataclasses import replace

    if hasattr(way, "ratio"):
        return [replace(way, ratio=round(1 - kept, 4)) for kept in KEPT]
    if way.name == "n_m":
        return [replace(way, keep=keep) for keep in range(way.group, 0, -1)]
    return [way]


def points(ways: tuple[str, ...]) -> int:
    """How many points the curves of these ways have."""
    from workbench.sparsity import SPARSIFIERS

    return sum(len(line(SPARSIFIERS.parse(each))) for each in ways)


def layers(masks: Any, side: int = SMALL) -> list[LayerMask]:
    """Each layer of weight masks as a picture of at most `side` x `side` spots."""
    found: list[LayerMask] = []
    for name, bits in masks.hidden.items():
        kept = ~bits.numpy()
        matrix = kept if kept.ndim == FLAT else kept.reshape(len(kept), -1)
        picture = pooled(matrix, side)
        clean = name.removeprefix("module.").removesuffix(".weight")
        found.append(LayerMask(clean, tuple(bits.shape), float(bits.float().mean()), picture))
    return found


def pooled(matrix: Bools, side: int) -> NDArray[np.float32]:
    """Means of blocks of a matrix, at most `side` in each direction, blocks as equal as can be."""
    values = matrix.astype(np.float64)
    for axis in (0, 1):
        length = values.shape[axis]
        if length > side:
            edges = np.linspace(0, length, side + 1).astype(int)
            sums = np.add.reduceat(values, edges[:-1], axis)
            widths = np.diff(edges)
            values = sums / (widths[:, None] if axis == 0 else widths)
    return values.astype(np.float32)


def save(spec: WeightsSpec, masks: Any, name: str) -> Path:
    """Write the network with its hidden weights at zero as a checkpoint of the user's.

    Returns:
        The folder, in `models` of WORKBENCH_HOME, with the masks beside the weights.

    Raises:
        BadInput: a name that is taken, or a network that cannot be written.
    """
    from workbench.models.answering import Answering
    from workbench.sparsity import hiding

    found = network(spec.network)
    with hiding(Answering(found), masks):
        place = keep(found, spec.network, name)
    masks.save(place / "masks.npz")
    return place


def keep(found: Any, source: str, name: str) -> Path:
    """Write a network that came from `source` into the user's models, as it is in memory.

    Raises:
        BadInput: a name that is taken, or a network that cannot be written.
    """
    from workbench.data.home import home
    from workbench.models.headers import read_json
    from workbench.runs.exporting import export_network

    free_name(name)
    config = own_networks().get(source, Path()) / "config.json"
    arguments: dict[str, Any] = {}
    if config.is_file():
        arguments = dict(read_json(config).get("model_args") or {})
        arguments.pop("img_size", None)
    return export_network(found, home() / "models" / name, model_args=arguments)
