"""What is said as more and more is hidden, and whether the shape of a hole tells by itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.data.images import fit
from workbench.errors import BadInput
from workbench.scenes.layer_masking import Floats, as_images, cells, classifier, ways
from workbench.scenes.layer_masking_spec import LayerMaskingSpec
from workbench.scenes.photos import source

ORDERS = ("random", "salient_first", "salient_last")
SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9)
SHAPES, AREA = 240, 0.3  # silhouettes, and the share of the cells that each of them covers
OWN, CLASSES = "photos()", ("cifar10()", "digits()", "fashion_mnist()", "stl10()", "cifar100()")


@dataclass(frozen=True)
class Point:
    """One way, one order, one share: the numbers of `evaluations.missingness`.

    `kept` is the mean probability of the class that the whole picture was given, with its 95%
    interval (`kept_low`, `kept_high`) in `numbers`.
    """

    way: str
    order: str
    share: float
    numbers: dict[str, Any]


@dataclass(frozen=True)
class Leak:
    """How often the shape of a hole was told from what is said: `share` with a 95% interval."""

    way: str
    share: float
    low: float
    high: float
    chance: float


def data_of(name: str, labels: tuple[str, ...] = ()) -> str:
    """Recipe of the data that a network is measured on where not on the photo.

    That of its run; else a set on this machine with classes of these names; else bundled photos,
    which have none.
    """
    from workbench.runs.beginning import RUN
    from workbench.runs.store import RunStore

    if name.startswith(RUN):
        return str(RunStore().get(name.removeprefix(RUN)).record["data"])
    return _named_alike(labels) if labels else OWN


@lru_cache(maxsize=8)
def _named_alike(labels: tuple[str, ...]) -> str:
    from workbench.data.sets import DATASETS

    for recipe in CLASSES:
        try:
            if DATASETS.parse(recipe).load(8, train=False).classes == labels:
                return recipe
        except BadInput:
            continue
    return OWN


def curves(
    spec: LayerMaskingSpec, pixels: Any = None, net: Any = None, *, batch: int = 16
) -> Iterator[Point]:
    """Remove growing shares, by each way and in each order, and yield what is then said.

    On one photo every random removal is another; the salient orders have one each.

    Raises:
        BadInput: a network without classes, or data that is not there.
    """
    from workbench.evaluations.missingness import missingness

    found = classifier(spec, net)
    pictures, labels = _pictures(spec, found, pixels)
    each = ways(spec, found.kind)
    each.pop("hide_keys", None)  # equal to dropped tokens to rounding
    names = {}
    for order in ORDERS:
        alone = spec.on == "photo" and order != "random"
        asked = pictures[:1] if alone else pictures
        made = missingness(
            found, asked, None if labels is None else labels[: len(asked)],
            operators=list(each.values()), orders=[order], shares=SHARES, grid=cells(found),  # pyright: ignore[reportArgumentType]
            seed=spec.seed, batch=batch,
        )  # fmt: skip
        names = dict(zip((_operator(recipe) for recipe in each.values()), each, strict=True))
        for missing in made:
            yield Point(names[missing.operator], order, missing.share, _numbers(missing))


def points(spec: LayerMaskingSpec, kind: str) -> int:
    """How many points the curves have."""
    count = len([way for way in ways(spec, kind) if way != "hide_keys"])
    return count * len(ORDERS) * len(SHARES)


def _operator(recipe: str) -> str:
    from workbench.explain.removal import removal

    return str(removal(recipe))


def _numbers(missing: Any) -> dict[str, Any]:
    kept = missing.probabilities[np.arange(len(missing.before)), missing.before].astype(float)
    half = 1.96 * kept.std(ddof=1) / np.sqrt(len(kept)) if len(kept) > 1 else 0.0
    mean = float(kept.mean())
    return {
        **missing.summary(), "kept": mean, "kept_low": mean - float(half),
        "kept_high": mean + float(half),
    }  # fmt: skip


def _pictures(
    spec: LayerMaskingSpec, found: Any, pixels: Any
) -> tuple[Floats, NDArray[np.int64] | None]:
    if spec.on == "photo":
        whole = source(spec.photo) if pixels is None else pixels
        one = as_images(fit(whole, found.size[0], found.size[1], spec.fit)[None])
        return np.repeat(one, spec.count, 0), None
    from workbench.data.sets import DATASETS

    loaded = DATASETS.parse(data_of(spec.network, found.labels)).load(max(found.size), train=False)
    rows = np.random.default_rng(spec.seed).permutation(len(loaded))[: spec.count]
    part = loaded.rows(np.sort(rows))
    fitting = found.classes == len(part.classes)
    return fitted(part.images, found.size), part.labels if fitting else None


def fitted(images: NDArray[np.uint8], size: tuple[int, int]) -> Floats:
    """uint8 [n, h, w, c] as float32 [n, 3, *size] in [0, 1]."""
    if images.shape[-1] == 1:
        images = np.repeat(images, 3, -1)
    if images.shape[1:3] != size:
        images = np.stack([fit(each, *size) for each in images])
    return as_images(images)


def silhouettes(grid: Any, count: int = SHAPES) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Handwritten digits as holes of equal area, bool [n, rows, cols], and what they show.

    The brightest cells of each digit are removed, in every one as many: neither area nor place of
    a hole tells by itself, only its shape.
    """
    from workbench.data.sets import DATASETS

    loaded = DATASETS.parse("digits()").load(8, train=True).rows(slice(count))
    assert loaded.labels is not None
    large = np.stack([fit(each, grid.rows, grid.cols, "resize")[..., 0] for each in loaded.images])
    values = large.reshape(len(large), -1).astype(np.int64)
    ranks = (-values).argsort(1, kind="stable").argsort(1)
    return (ranks < grid.count(AREA)).reshape(-1, *grid.shape), loaded.labels


def leaks(
    spec: LayerMaskingSpec, net: Any = None, *, count: int = SHAPES, batch: int = 16
) -> Iterator[Leak]:
    """Cut digits out of bundled photos and tell from the network's scores which they were.

    Raises:
        BadInput: a network without classes.
    """
    from workbench.data.sets import DATASETS
    from workbench.evaluations.shape_leak import shape_leak

    found = classifier(spec, net)
    holes, labels = silhouettes(cells(found), count)
    crops = DATASETS.parse(f"photos(crops={max(10, len(holes) * 5 // 4 + 5)})")
    backgrounds = fitted(crops.load(max(found.size), train=True).images, found.size)[: len(holes)]
    for way, recipe in ways(spec, found.kind).items():
        scores = shape_leak(found, holes, labels, backgrounds, [recipe], batch=batch)
        score = next(iter(scores.values()))
        yield Leak(way, score.accuracy, score.low, score.high, 1 / len(np.unique(labels)))


def leaking(found: list[Leak]) -> str:
    """The answer of the leak test in words."""
    if not found:
        return ""
    chance = found[0].chance
    telling = [each for each in found if each.low > chance]
    said = [f"{each.way.replace('_', ' ')} {each.share:.0%}" for each in found]
    start = f"Which digit was cut out was told from the answers: {', '.join(said)}; chance is "
    start += f"{chance:.0%}. "
    if not telling:
        return start + "None is surely above chance: the shapes of holes leave no trace here."
    worst = max(telling, key=lambda each: each.share)
    best = min(found, key=lambda each: each.share)
    return start + (
        f"{worst.way.replace('_', ' ').capitalize()} gives the shape away most, "
        f"{best.way.replace('_', ' ')} least: an object cut out in its own outline stays "
        "recognisable by the hole it leaves."
    )
