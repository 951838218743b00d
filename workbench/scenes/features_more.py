"""Heads ranked by codes on pictures and their masked twins, and facets of a unit, step by step."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput
from workbench.masks import MASKS
from workbench.scenes.features import pictures, pictures_a_step, study_of
from workbench.scenes.features_spec import FeaturesSpec
from workbench.scenes.inside import network

CLIMBED = 5  # steps of a climb between two pictures
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Ranking:
    """A step of ranking heads; `codes` is a `HeadCodes` with the last one."""

    done: int
    total: int
    codes: Any = None
    pictures: int = 0


@dataclass(frozen=True, eq=False)
class Faceting:
    """A step of drawing facets: which one is climbed, how it looks and what the unit says there.

    `facet` is a `Facet`; before the first climb there is none.
    """

    done: int
    total: int
    at: int = 0
    facet: Any = None
    ended: bool = False


def rank(spec: FeaturesSpec, net: Any = None) -> Iterator[Ranking]:
    """Rank the heads of a network by what they say on pictures and not on their masked twins.

    Raises:
        BadInput: no heads, or a mask that hides nothing.
    """
    from workbench.features.codes import discrete_codes, masked_twins, places_of, ranked, said
    from workbench.features.pictures import pictures_of

    found = network(spec.network) if net is None else net
    total = 4
    yield Ranking(0, total)
    images, _ = pictures_of(spec.data, found, spec.pairs, spec.seed)
    mask = MASKS.parse(spec.mask).sample(found.grid, count=1, seed=spec.seed)
    if not mask.hidden.any() or len(images) < 2:
        raise BadInput(
            f"{spec.mask} hides {int(mask.hidden.sum())} patches of {len(images)} pictures, wanted "
            "some of two or more; take another mask or set."
        )
    negatives = masked_twins(images, mask, spec.fill)
    yield Ranking(1, total)
    given = [said(found, images, mask, "auto")]
    yield Ranking(2, total)
    given.append(said(found, negatives, mask, "auto"))
    yield Ranking(3, total)
    codes = discrete_codes(*given, seed=spec.seed)
    yield Ranking(total, total, ranked(*codes, places_of(found)), len(images))


def facets(spec: FeaturesSpec) -> Iterator[Faceting]:
    """Group the pictures that excite a unit most, and climb from the mean of each group.

    Raises:
        BadInput: no such unit, or a feature of a code that is not learnt yet.
    """
    from workbench.features import Facet, find_facets
    from workbench.features.facets import climb
    from workbench.features.units import codes_of, unit_named, values_of

    found = network(spec.network)
    study = None if spec.unit else study_of(spec)
    if study is None and not spec.unit:
        raise BadInput("no features are learnt yet; learn them first, or take a class.")
    named = spec.unit or f"latent:{spec.latent}"
    unit = unit_named(found, named, None if study is None else study.code, spec.layer)
    images, _ = pictures(spec)
    total = 2 * len(images) + spec.facets * spec.climb
    values, codes = list[Any](), list[Any]()
    each = pictures_a_step(found)
    for first in range(0, len(images), each):
        part = images[first : first + each]
        values.append(values_of(unit, part).numpy())
        codes.append(codes_of(found, part))
        yield Faceting(2 * min(first + each, len(images)), total)
    groups = find_facets(
        unit, images, np.concatenate(codes), count=min(spec.facets, len(images)),
        top=min(spec.top, len(images)), seed=spec.draw, values=np.concatenate(values),
    )  # fmt: skip
    done, work = 2 * len(images), 2 * found.work(1)
    total = done + len(groups) * spec.climb
    for at, group in enumerate(groups):
        yield Faceting(done, total, at, group, not spec.climb)
    for at, group in enumerate(groups):
        for step, image in enumerate(climb(unit, group.start, steps=spec.climb, work=work), 1):
            done += 1
            last = step == spec.climb
            if last or step % CLIMBED == 0:
                value = float(values_of(unit, image[None])[0])
                group = Facet(group.rows, group.start, image, value)
                yield Faceting(done, total, at, group, last)
