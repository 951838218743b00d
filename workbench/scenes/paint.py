"""Hand edits as a recipe: `painted(...)` over what a strategy drew."""

import dataclasses
import re
from dataclasses import dataclass
from typing import cast

from workbench.masks import MASKS
from workbench.masks.painted import Painted, cells
from workbench.scenes.spec import SceneSpec


@dataclass(frozen=True)
class Paint:
    """A mask recipe taken apart.

    `base` is the strategy's recipe ("" if there is none), `hide` and `show` are the patches hidden
    and shown by hand as bits, "1" a patch, row by row, `lock` the exact ratio or None.
    """

    base: str
    hide: str
    show: str
    lock: float | None


def split_paint(spec: SceneSpec, patches: int) -> Paint:
    """Take a scene's mask apart for the painter; a mask without hand edits is all base."""
    top = _painted(spec)
    if top is None:
        return Paint(spec.mask, "0" * patches, "0" * patches, None)
    hide, show = _bits("hide", top.hide, patches), _bits("show", top.show, patches)
    return Paint("" if top.over is None else str(top.over), hide, show, top.lock)


def with_paint(spec: SceneSpec, hide: str, show: str, lock: float | None = None) -> SceneSpec:
    """The scene with these hand edits over its strategy.

    Args:
        spec: the scene; edits that it already holds are replaced.
        hide: bits, "1" a patch hidden by hand.
        show: bits, "1" a patch shown by hand.
        lock: exact share to hide afterwards, or None.

    Returns:
        A scene whose mask is one recipe; without edits and lock, the strategy alone.
    """
    top = _painted(spec)
    over = spec.strategy if top is None else top.over
    if "1" not in hide and "1" not in show and lock is None and over is not None:
        return spec.replace(mask=str(over))
    painted = Painted(hide=patch_ranges(hide), show=patch_ranges(show), over=over, lock=lock)
    return spec.replace(mask=str(painted))


def with_strategy(spec: SceneSpec, recipe: str) -> SceneSpec:
    """The scene with another strategy under its hand edits."""
    top, base = _painted(spec), MASKS.parse(recipe)
    if top is None or base.name == top.name:
        return spec.replace(mask=str(base))
    return spec.replace(mask=str(dataclasses.replace(top, over=base)))


def with_drawn_map(recipe: str, bits: str) -> str:
    """A guided strategy that follows painted patches, "1" a patch, instead of its score map."""
    drawn = f'drawn(patches="{patch_ranges(bits)}")'
    return str(dataclasses.replace(MASKS.parse(recipe), scores=drawn))


def patch_ranges(bits: str) -> str:
    """Bits "0111001" as ranges of patch numbers, "1-3,6"."""
    spans = (match.span() for match in re.finditer("1+", bits))
    return ",".join(f"{a}-{b - 1}" if b - a > 1 else str(a) for a, b in spans)


def _painted(spec: SceneSpec) -> Painted | None:
    strategy = spec.strategy
    return cast(Painted, strategy) if strategy.name == Painted.name else None


def _bits(name: str, text: str, patches: int) -> str:
    return "".join("01"[int(bit)] for bit in cells(name, text, patches))
