"""A sparse code learnt step by step; its features on pictures, on a photo, and on a masked one."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.data.images import fit
from workbench.errors import BadInput
from workbench.masks import MASKS
from workbench.scenes.features_spec import SHOWN, FeaturesSpec
from workbench.scenes.inside import network
from workbench.scenes.photos import Pixels, source

READ, STEP_WORK = 8, 8e9  # pictures of a step at most, and its multiply-adds, roughly
TOP = 6  # pictures of a feature
KEPT = 2  # codes with their tokens
MOST_BYTES = 1.5e9  # of tokens in memory
Floats = NDArray[np.float32]
_kept: dict[Any, Any] = {}
_lock = threading.Lock()


@dataclass(frozen=True, eq=False)
class Learning:
    """A step: how much is behind, what to say of it, and with the last one the `study`."""

    done: int
    total: int
    said: str = ""
    study: Any = None


@dataclass(frozen=True, eq=False)
class Feature:
    """One latent: the share of patches that use it, and where.

    `rows` are numbers of its top pictures, best first, `maps` float32 [pictures, rows, cols] its
    activations there. `here` [2, rows, cols] are those on the photo and on its masked version,
    `peaks` the largest of each.
    """

    latent: int
    rate: float
    rows: tuple[int, ...]
    maps: Floats
    here: Floats
    peaks: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Seen:
    """Features in order, and the photo whole and masked, uint8 [h, w, 3]."""

    features: tuple[Feature, ...]
    photo: Pixels
    masked: Pixels
    hidden: int
    patches: int


def pictures(spec: FeaturesSpec) -> tuple[Floats, list[str]]:
    """The pictures of a spec, float32 [n, 3, h, w] in [0, 1], and their names.

    Raises:
        BadInput: no such data.
    """
    return _pictures(spec.network, spec.data, spec.count, spec.draw)


@lru_cache(maxsize=2)
def _pictures(name: str, data: str, count: int, draw: int) -> tuple[Floats, list[str]]:
    from workbench.features.pictures import pictures_of

    return pictures_of(data, network(name), count, draw)


def picture(spec: FeaturesSpec, row: int) -> Pixels:
    """One of the pictures, uint8 [h, w, 3].

    Raises:
        BadInput: there is no picture of that number.
    """
    images, _ = pictures(spec)
    if not 0 <= row < len(images):
        raise BadInput(f"picture {row} is not there; take 0 to {len(images) - 1}.")
    return bytes_of(images[row])


def bytes_of(image: Floats) -> Pixels:
    """Float [3, h, w] in [0, 1] as uint8 [h, w, 3]."""
    return (image.transpose(1, 2, 0) * 255).round().astype(np.uint8)


def learn_features(spec: FeaturesSpec) -> Iterator[Learning]:
    """Read tokens, train the code and read it, step by step; the study is kept for `study_of`.

    Raises:
        BadInput: no such network or block, or more tokens than fit into memory.
    """
    import torch

    from workbench.features import SaeConfig, layer_tokens, learn
    from workbench.features.training import Studied, Study

    found = network(spec.network)
    found.check_layer(spec.layer)
    images, names = pictures(spec)
    each = pictures_a_step(found)
    reading = max(1, len(images) // READ)
    total = len(images) + spec.steps + reading
    yield Learning(0, total, "reads pictures")
    parts: list[Any] = []
    for first in range(0, len(images), each):
        parts.append(layer_tokens(found, images[first : first + each], spec.layer, batch=each))
        size = 4 * len(images) * parts[0][0].numel()
        if size > MOST_BYTES:
            raise BadInput(
                f"{len(images)} pictures have {size / 1e9:.1f} GB of tokens in {found.name}, more "
                f"than {MOST_BYTES / 1e9:.1f}; take fewer pictures."
            )
        yield Learning(min(first + each, len(images)), total, "reads pictures")
    tokens = torch.cat(parts)
    config = SaeConfig(
        expansion=spec.expansion, active=spec.active, rule=spec.rule, steps=spec.steps,
        batch=spec.batch, seed=spec.draw,
    )  # fmt: skip
    code = None
    for step in learn(tokens, config):
        code = step.code
        said = f"{1 - step.error:.0%} of the variance explained, {step.dead} dead"
        yield Learning(len(images) + step.step, total, said)
    assert code is not None
    code.eval().requires_grad_(False)
    studied = Studied(
        model=spec.network, layer=spec.layer, data=spec.data, count=spec.count, seed=spec.draw
    )
    study = Study.of(found, studied, code, images, names, tokens)
    with _lock:
        _kept[_key(spec)] = study
        while len(_kept) > KEPT:
            del _kept[next(iter(_kept))]
    yield Learning(total, total, told(study), study)


def pictures_a_step(found: Any) -> int:
    """So many that other pages need not wait long for the step to end."""
    return max(1, min(READ, int(STEP_WORK / max(found.work(1), 1))))


def _key(spec: FeaturesSpec) -> Any:
    from workbench.runs.networks import weights_time

    return (weights_time(spec.network), *spec.learnt)


def study_of(spec: FeaturesSpec) -> Any:
    """The study that was learnt for a spec, None where it was not yet, or long ago."""
    with _lock:
        return _kept.get(_key(spec))


def told(study: Any) -> str:
    """What a code is worth, in a sentence."""
    report = study.report()
    return (
        f"{report['latents']} features, {report['dead']} of them never used; "
        f"{report['active']:.1f} a patch explain {report['explained']:.1%} of the variance and "
        f"keep {report['kept_downstream']:.1%} of what later blocks need."
    )


def look(spec: FeaturesSpec, study: Any, pixels: Pixels | None = None, net: Any = None) -> Seen:
    """The first features of an order, on their top pictures, on a photo and on its masked version.

    Args:
        spec: what is looked at.
        study: a `Study` of its network.
        pixels: uint8 [h, w, 3] in place of the photo that `spec` names.
        net: a `Network` in place of the one that it names.

    Raises:
        BadInput: no such photo, a mask that does not fit the network, or an empty order.
    """
    from workbench.features.reading import ordered

    found = network(spec.network) if net is None else net
    pair, hidden = twins(spec, found, pixels)
    compared = study.compared(found, pair)
    chosen = [int(each) for each in ordered(study.latents, spec.order, SHOWN, compared)]
    if 0 <= spec.latent < study.code.shape.latents and spec.latent not in chosen:
        chosen = [spec.latent, *chosen]
    if not chosen:
        raise BadInput(
            f"no feature comes first by {spec.order}: none is there on the photo, or the mask "
            "changes none; take another order or mask."
        )
    return Seen(
        features=tuple(_feature(study, compared, latent) for latent in chosen),
        photo=bytes_of(pair[0]),
        masked=bytes_of(pair[1]),
        hidden=hidden,
        patches=found.grid.size,
    )


def twins(spec: FeaturesSpec, found: Any, pixels: Pixels | None = None) -> tuple[Floats, int]:
    """The photo and its masked version, float32 [2, 3, h, w], and how many patches are hidden."""
    from workbench.features.codes import masked_twins

    whole = source(spec.photo) if pixels is None else pixels
    photo = fit(whole, found.size[0], found.size[1], spec.fit)
    image = photo.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255)
    mask = MASKS.parse(spec.mask).sample(found.grid, count=1, seed=spec.seed)
    pair = np.concatenate([image, masked_twins(image, mask, spec.fill)])
    return pair, int(np.count_nonzero(mask.hidden))


def _feature(study: Any, compared: Any, latent: int) -> Feature:
    maps = study.maps(latent, TOP)
    shape = study.grid
    here = compared.maps[:, :, latent].reshape(2, *shape)
    return Feature(
        latent=latent,
        rate=float(study.latents.rates[latent]),
        rows=tuple(at for at, _ in maps),
        maps=np.stack([each for _, each in maps]) if maps else np.zeros((0, *shape), np.float32),
        here=here,
        peaks=(float(here[0].max()), float(here[1].max())),
    )
