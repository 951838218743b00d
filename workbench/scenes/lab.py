"""The mask lab: strategies side by side on one photo, and what each does over many draws."""

import dataclasses
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.mask_statistics import (
    COUNT_LIMIT,
    MaskStatistics,
    co_masking,
    statistics,
)
from workbench.analysis.object_overlap import ObjectOverlap
from workbench.errors import BadInput, shown
from workbench.masks import MASKS, Grid, Mask, Strategy
from workbench.scenes import labels
from workbench.scenes.compose import grid_of, maps_of
from workbench.scenes.photos import MADE_OF_PHOTOS
from workbench.scenes.spec import SceneSpec

GRIDS = ("model", "14x14", "16x16", "8x14x14", "spectrum")
GRID = re.compile(r"(?:(\d{1,3})x)?(\d{1,4})x(\d{1,4})")
MOST = 4
BESIDE = ("second", "third", "fourth")  # query parameters of the policies after the first
DRAWS = 10_000
CELLS = 1 << 22  # drawn at most for one policy, so that a slider can be followed
SAMPLES = 12
OBJECT_DRAWS = 2_000


@dataclass(frozen=True, kw_only=True)
class LabSpec:
    """What the lab shows.

    `policies` are 1 to 4 mask recipes on the photo of `scene`, whose own mask is not used; `grid`
    is "model" (the model's patches), "spectrum" (a frequency a pixel of the model's picture),
    ROWSxCOLS or FRAMESxROWSxCOLS; `draws` are measured of each policy, fewer on grids of many
    cells; `cell` is the row-major number of the patch whose company is shown, None the one in the
    middle.

    Raises:
        BadInput: no or too many policies, a recipe that does not parse, a grid that is none of
            these, or draws or cell out of range.
    """

    scene: SceneSpec = field(default_factory=SceneSpec)
    policies: tuple[str, ...] = ("random(ratio=0.75)",)
    grid: str = "model"
    draws: int = DRAWS
    cell: int | None = None

    def __post_init__(self) -> None:
        """Check every field and write recipes in their canonical form."""
        if not 1 <= len(self.policies) <= MOST:
            raise BadInput(f"{len(self.policies)} policies were given; compare 1 to {MOST}.")
        recipes = tuple(str(MASKS.parse(recipe)) for recipe in self.policies)
        object.__setattr__(self, "policies", recipes)
        if self.grid not in ("model", "spectrum"):
            _grid(self.grid)
        if type(self.draws) is not int or not 1 <= self.draws <= COUNT_LIMIT:
            raise BadInput(
                f"draws is {shown(self.draws)}, but must be a whole number from 1 to "
                f"{COUNT_LIMIT}; take {DRAWS}."
            )
        if self.cell is not None and (type(self.cell) is not int or self.cell < 0):
            raise BadInput(
                f"cell is {shown(self.cell)}, but must be a patch number; click a patch."
            )

    def replace(self, **changes: object) -> "LabSpec":
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)  # pyright: ignore[reportArgumentType]

    def to_query(self) -> dict[str, str]:
        """The fields that differ from the defaults, beside those of the scene."""
        query = self.scene.replace(mask=self.policies[0]).to_query()
        query |= dict(zip(BESIDE, self.policies[1:], strict=False))
        if self.grid != "model":
            query["grid"] = self.grid
        if self.draws != DRAWS:
            query["draws"] = str(self.draws)
        if self.cell is not None:
            query["cell"] = str(self.cell)
        return query

    @classmethod
    def from_query(cls, query: Mapping[str, str], scene: SceneSpec) -> "LabSpec":
        """Read the lab's own parameters; the first policy and all else is the scene's.

        Raises:
            BadInput: a parameter that cannot be read.
        """
        numbers: dict[str, int] = {}
        for name in ("draws", "cell"):
            text = query.get(name)
            if text is not None:
                if not (text.isascii() and text.isdigit() and len(text) < 10):
                    raise BadInput(
                        f"{name} is {shown(text)}, but must be a whole number; take 100."
                    )
                numbers[name] = int(text)
        beside = tuple(query[name] for name in BESIDE if name in query)
        return cls(
            scene=scene, policies=(scene.mask, *beside), grid=query.get("grid", "model"), **numbers
        )

    def scene_of(self, at: int) -> SceneSpec:
        """The first view's scene for one policy."""
        return self.scene.replace(mask=self.policies[at])

    def lattice(self, at: int) -> Grid:
        """The grid that policy `at` is measured on.

        Strategies of frequencies take the spectrum and strategies of single pictures one frame,
        whatever the others take.
        """
        strategy = MASKS.parse(self.policies[at])
        if self.grid == "spectrum" or strategy.domain == "frequency":
            high, wide = grid_of(self.scene).pixels
            return Grid(high, wide, patch=1, domain="frequency")
        grid = grid_of(self.scene) if self.grid == "model" else _grid(self.grid)
        return dataclasses.replace(grid, frames=None) if strategy.flat else grid

    def drawn(self, at: int) -> int:
        """How many draws of policy `at` are measured; clips and guided masks take longer."""
        grid, strategy = self.lattice(at), MASKS.parse(self.policies[at])
        cells = CELLS // 8 if strategy.needs or grid.frames is not None else CELLS
        return max(min(self.draws, cells // grid.size), 1)

    def python(self, at: int = 0) -> str:
        """Lines of Python that measure policy `at`."""
        return (
            "from workbench.analysis.mask_statistics import statistics\n"
            "from workbench.masks import MASKS, Grid\n\n"
            f"strategy = MASKS.parse({self.policies[at]!r})\n"
            f"found = statistics(strategy, {self.lattice(at)!r}, {self.drawn(at)}, "
            f"seed={self.scene.seed})\n"
            "print(found.ratios.mean(), found.pieces.mean(), found.mean_distance)\n"
        )

    def command(self, at: int = 0) -> str:
        """The command that measures policy `at`."""
        grid = "x".join(str(side) for side in self.lattice(at).shape)
        words = ["python", "-m", "workbench", "measure", self.policies[at], "--grid", grid]
        words += ["--count", str(self.drawn(at)), "--seed", str(self.scene.seed)]
        if self.lattice(at).domain != "frequency":
            words += ["--photos", self.scene.photo]
        return shlex.join(words)


@dataclass(frozen=True)
class Measured:
    """One policy over many draws: `found`, the first `samples`, and the company of one patch.

    `together` is P(hidden | `cell` is hidden), float [*grid.shape], nan where `cell` never is.
    """

    strategy: Strategy
    found: MaskStatistics
    samples: Mask
    cell: int
    together: NDArray[np.float64]

    @property
    def grid(self) -> Grid:
        """The grid of the masks."""
        return self.found.grid


def measured(spec: LabSpec, at: int = 0) -> Measured:
    """Draw and measure one policy of the lab; one that looks at the picture looks at the photo.

    Raises:
        BadInput: a grid that the strategy refuses.
    """
    grid, count = spec.lattice(at), spec.drawn(at)
    strategy = MASKS.parse(spec.policies[at])
    looked = _looked_at(spec, strategy)
    found = _statistics(strategy, grid, count, looked)
    samples = _drawn(strategy, grid, min(count, SAMPLES), looked)
    middle = ((grid.frames or 1) // 2 * grid.rows + grid.rows // 2) * grid.cols + grid.cols // 2
    cell = middle if spec.cell is None else min(spec.cell, grid.size - 1)
    together = found.together(cell)
    if together is None:
        together = co_masking(_drawn(strategy, grid, count, looked), cell)
    return Measured(strategy, found, samples, cell, together)


def _looked_at(spec: LabSpec, strategy: Strategy) -> SceneSpec:
    """What the draws depend on: the seed, and the photo for a strategy that looks at it."""
    if strategy.needs:
        return spec.scene.replace(mask=str(strategy))
    return SceneSpec(seed=spec.scene.seed)


@lru_cache(maxsize=16)
def _statistics(strategy: Strategy, grid: Grid, count: int, scene: SceneSpec) -> MaskStatistics:
    return statistics(strategy, grid, count, scene.seed, maps_of(scene, strategy, grid))


@lru_cache(maxsize=4)
def _drawn(strategy: Strategy, grid: Grid, count: int, scene: SceneSpec) -> Mask:
    maps = maps_of(scene, strategy, grid)
    many = {name: np.broadcast_to(each, (count, *grid.shape)) for name, each in maps.items()}
    return strategy.sample(grid, count, scene.seed, maps=many)


MADE_OF_PHOTOS.extend([_statistics, _drawn])


def objects(spec: LabSpec, made: Measured) -> list[ObjectOverlap]:
    """How much of each object of a drawn scene the policy hides, over at most 2,000 draws."""
    grid, strategy = made.grid, made.strategy
    looked = _looked_at(spec, strategy)
    mask = _drawn(strategy, grid, min(made.found.count, OBJECT_DRAWS), looked)
    return labels.overlap(spec.scene.photo, mask)


def histogram(found: MaskStatistics, most: int = 40) -> list[tuple[float, float, float]]:
    """The realised ratios as bars (from, to, share of the draws), empty bars left out.

    A bar is one count of hidden patches as long as at most `most` counts lie between the extremes,
    else `most` equal bars are made.
    """
    counts = np.rint(found.ratios * found.grid.size).astype(np.int64)
    low, span = int(counts.min()), int(np.ptp(counts)) + 1
    width = max(1, -(-span // most))
    bars = np.bincount((counts - low) // width) / found.count
    size = found.grid.size
    return [
        ((low + at * width - 0.5) / size, (low + (at + 1) * width - 0.5) / size, float(share))
        for at, share in enumerate(bars)
        if share
    ]


def same_ratio(policies: tuple[str, ...], leader: int) -> tuple[str, ...]:
    """All policies at the ratio of one of them, where they have such a knob."""
    ratio: Any = getattr(MASKS.parse(policies[leader]), "ratio", None)
    if ratio is None:
        return policies
    found: list[str] = []
    for recipe in policies:
        strategy = MASKS.parse(recipe)
        try:
            if hasattr(strategy, "ratio"):
                strategy = dataclasses.replace(strategy, **{"ratio": ratio})
        except BadInput:  # a strategy may allow fewer ratios
            pass
        found.append(str(strategy))
    return tuple(found)


def _grid(text: str) -> Grid:
    match = GRID.fullmatch(text)
    if match is None:
        raise BadInput(
            f"grid is {shown(text)}, but must be model, spectrum, ROWSxCOLS or FRAMESxROWSxCOLS; "
            "take 14x14."
        )
    grid = Grid(int(match[2]), int(match[3]), frames=None if match[1] is None else int(match[1]))
    if grid.size > CELLS // SAMPLES:
        raise BadInput(f"grid is {text}, too many cells to be drawn live; take 64x64 or less.")
    return grid
