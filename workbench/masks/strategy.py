"""What every mask strategy shares: knobs, the only sampler, and the checks of what it promises."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput, shown
from workbench.masks.lattice import Grid
from workbench.masks.mask import Mask
from workbench.params import Knob
from workbench.registry import Member
from workbench.seeds import Noise, whole

Counts = Literal["exact", "units", "free"]
Drawn = NDArray[np.bool_] | tuple[NDArray[np.bool_], NDArray[np.bool_]]
Scores = NDArray[Any]
Maps = Mapping[str, Scores]
Ratio = Annotated[float, Knob("share of patches hidden", 0, 1, 0.05)]
TOTAL_LIMIT = 1 << 30


@dataclass(frozen=True, kw_only=True)
class Strategy(Member):
    """A way to choose what is hidden: frozen knobs and one vectorised `draw`.

    `counts` says what a ratio promises: "exact" hides floor(ratio * n + 0.5) cells in every image,
    "units" applies the same rule to units of several cells, "free" promises nothing. The realised
    count is always that of the mask. `flat` strategies refuse clips. `chunk_cells` bounds how many
    cells are drawn at once. A strategy that looks at the picture has `needs_maps` and names in
    `needs` the score maps that it wants; whoever calls `sample` provides them. `frames` says what a
    frame of the grid means to it: "time", "view", "modality" or "band"; "" = frames are just more
    cells. On a grid without frames every strategy behaves as with one. `domain` is "frequency" for
    those whose cells are bins of a spectrum, else "".
    """

    counts: ClassVar[Counts] = "exact"
    needs_maps: ClassVar[bool] = False
    flat: ClassVar[bool] = False
    frames: ClassVar[str] = ""
    domain: ClassVar[str] = ""
    chunk_cells: ClassVar[int] = 1 << 22
    described: ClassVar[tuple[str, ...]] = (
        "paper", "counts", "needs_maps", "flat", "frames", "domain",
    )  # fmt: skip
    schedules: ClassVar[bool] = True

    @property
    def needs(self) -> tuple[str, ...]:
        """Recipes of the score maps that these knobs need, such as "edges()"; () for most."""
        return ()

    @property
    def promise(self) -> Counts:
        """What the ratio promises with these knobs; `counts` unless a knob changes it."""
        return self.counts

    def by_hand(self, grid: Grid) -> tuple[NDArray[np.bool_], NDArray[np.bool_]] | None:
        """Return the patches hidden and shown by hand, bool [grid.size] each; None for most."""
        return None

    def draw(self, grid: Grid, noise: Noise, maps: Maps) -> Drawn:
        """Return the hidden cells, bool [noise.count, *grid.shape], or (hidden, targets).

        `maps` holds a map [noise.count, *grid.shape] for every recipe of `needs`.
        """
        raise NotImplementedError

    def sample(
        self,
        grid: Grid,
        count: int = 1,
        seed: int = 0,
        step: int = 0,
        first: int = 0,
        progress: float = 0.0,
        maps: Maps | Scores | None = None,
    ) -> Mask:
        """Draw `count` masks for the image indices first..first+count-1.

        Row i is the same to the bit in a batch of any size and drawn alone. Schedules take their
        value at `progress`, 0 to 1. `maps` are the score maps [count, *grid.shape] by the recipes
        of `needs`, or one array that serves them all.

        >>> from workbench.masks.random import Random
        >>> batch = Random(ratio=0.75).sample(Grid(14, 14), count=64, seed=7)
        >>> batch, batch[9] == Random(ratio=0.75).sample(Grid(14, 14), seed=7, first=9)
        (Mask(64 on (14, 14), 147 of 196 hidden), True)

        Raises:
            BadInput: a number out of range, a grid that the strategy cannot fill, missing maps.
        """
        if not isinstance(grid, Grid):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise BadInput(f"grid is {shown(grid)}, but must be a Grid; take Grid(14, 14).")
        count = whole("count", count, 1, TOTAL_LIMIT)
        if count * grid.size > TOTAL_LIMIT:
            raise BadInput(
                f"count is {count}, which with {grid.size} cells a mask is more than {TOTAL_LIMIT} "
                f"cells; ask for at most {TOTAL_LIMIT // grid.size} at once."
            )
        if not 0 <= progress <= 1:
            raise BadInput(f"progress is {shown(progress)}, but must be from 0 to 1; take 0.")
        noise = Noise(seed, step, first, count)
        strategy = self.at(progress)
        if isinstance(maps, np.ndarray):
            if not self.needs:
                raise BadInput(f"{self.name} does not look at score maps; leave maps out.")
            maps = dict.fromkeys(strategy.needs, maps)
        return strategy.drawn(grid, noise, maps or {})

    def drawn(self, grid: Grid, noise: Noise, maps: Maps) -> Mask:
        """Check grid and maps, draw in chunks of rows and check the result."""
        self._check(grid, noise.count, maps)
        rows = max(1, self.chunk_cells // grid.size)
        if rows >= noise.count:
            return self._checked(grid, noise, self.draw(grid, noise, maps))
        parts: list[Mask] = []
        for start in range(0, noise.count, rows):
            part = noise.rows(start, min(start + rows, noise.count))
            below = {name: scores[start : start + part.count] for name, scores in maps.items()}
            parts.append(self._checked(grid, part, self.draw(grid, part, below)))
        return Mask.stack(parts)

    def _check(self, grid: Grid, count: int, maps: Maps) -> None:
        if self.flat and grid.frames is not None:
            raise BadInput(
                f"{self.name} draws single images, but this grid has {grid.frames} frames; "
                "take random(...), or a grid without frames."
            )
        for recipe in self.needs:
            if recipe not in maps:
                raise BadInput(
                    f"{self.name} needs the score map {recipe}, but none was given; pass maps of "
                    f"shape {(count, *grid.shape)}, or take a strategy that does not look."
                )
            shape = maps[recipe].shape
            if shape != (count, *grid.shape):
                raise BadInput(
                    f"{self.name}: the map {recipe} has the shape {shape}, but must be "
                    f"{(count, *grid.shape)}; give one value a patch."
                )

    def _checked(self, grid: Grid, noise: Noise, drawn: Drawn) -> Mask:
        hidden, targets = drawn if isinstance(drawn, tuple) else (drawn, None)
        if hidden.shape != (noise.count, *grid.shape) or hidden.dtype != np.bool_:
            raise TypeError(f"{self.name}.draw returned {hidden.dtype} {hidden.shape}")
        return Mask(hidden, grid, targets)
