"""Lessons on strategies: drawings, measures and maps of where they hide."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from workbench.analysis.mask_statistics import MaskStatistics, co_masking, statistics
from workbench.data import photo
from workbench.data.images import fit
from workbench.errors import BadInput
from workbench.lessons.boards import Board, Chart, Listing, board, number
from workbench.masks import MASKS, Grid
from workbench.notebook import Pixels
from workbench.plots.heat_map import heat_map
from workbench.scenes import SceneSpec, compose
from workbench.scenes.gallery import shaded

CELL = 12
TARGET_INKS = ((214, 96, 44), (46, 122, 190), (150, 70, 170), (60, 150, 80))


def show_strategies(
    recipes: Sequence[str],
    grid: Grid,
    picture: str = "chelsea",
    seed: int = 0,
    names: Sequence[str] = (),
) -> Board:
    """Draw recipes on one photo; captions hold names and realised counts.

    Args:
        recipes: what to draw.
        grid: where.
        picture: name of a bundled photo.
        seed: decides every random choice.
        names: what to call the recipes; by default their strategies' names.
    """
    seen = fit(photo(picture), *grid.pixels, "crop")
    strategies = [MASKS.parse(recipe) for recipe in recipes]
    tiles = list[tuple[str, Pixels]]()
    for name, strategy in zip(names or [each.name for each in strategies], strategies, strict=True):
        mask = strategy.sample(grid, seed=seed)
        tiles.append((f"{name}, {int(mask.counts[0])}", shaded(seen, mask.hidden[0])))
    return board(tiles, f"hidden of {grid.size} patches, seed {seed}")


def measured(recipes: Iterable[str], grid: Grid, count: int) -> dict[str, MaskStatistics]:
    """The statistics of each recipe over `count` draws; see `analysis.mask_statistics`."""
    return {recipe: statistics(MASKS.parse(recipe), grid, count) for recipe in recipes}


def show_measures(found: Mapping[str, MaskStatistics]) -> Listing:
    """Ratio, agreement of neighbours, pieces and the distance to what is visible, as means."""
    heads = ("", "ratio, least to most", "neighbours alike", "pieces", "distance, cells")
    return Listing(
        heads,
        tuple(
            (
                name,
                f"{each.ratios.min():.3f} to {each.ratios.max():.3f}",
                number(each.agreement, 3),
                f"{each.pieces.mean():.1f}",
                number(each.mean_distance, 2),
            )
            for name, each in found.items()
        ),
    )


def show_occupancy(found: Mapping[str, MaskStatistics]) -> Board:
    """How often each cell is hidden, black never and cream always."""
    tiles = [
        (f"{name.partition('(')[0]}, {each.plane.min():.2f} to {each.plane.max():.2f}",
         heat_map(each.plane, CELL))
        for name, each in found.items()
    ]  # fmt: skip
    return board(tiles, "share of draws that hide a patch: black 0, cream 1", min(len(tiles), 4))


def show_spectra(found: Mapping[str, MaskStatistics], names: Sequence[str]) -> Chart:
    """Power over frequency, 1 = white noise.

    Args:
        found: from `measured`.
        names: labels in the same order.
    """
    spectra = [each.spectrum for each in found.values()]
    lines = {
        name: (spectrum.frequency.tolist(), spectrum.density.tolist())
        for name, spectrum in zip(names, spectra, strict=True)
    }
    return Chart(lines, "cycles a patch: left large islands, right fine grain", "power, white = 1")


def show_targets(recipe: str, grid: Grid, seeds: Sequence[int], picture: str = "chelsea") -> Board:
    """What the encoder sees and, in colours, the blocks to predict from it.

    Raises:
        BadInput: a strategy without targets.
    """
    seen = fit(photo(picture), *grid.pixels, "crop")
    tiles = list[tuple[str, Pixels]]()
    for seed in seeds:
        mask = MASKS.parse(recipe).sample(grid, seed=seed)
        if mask.targets is None:
            raise BadInput(f"{recipe} names no targets; take multi_block().")
        drawn = shaded(seen, mask.hidden[0]).astype(np.float64)
        for target, ink in zip(mask.targets[0], TARGET_INKS * 4, strict=False):
            cells = np.kron(target, np.ones((grid.patch, grid.patch), bool))
            drawn[cells] = 0.5 * drawn[cells] + 0.5 * np.array(ink)
        tiles.append((f"seed {seed}", drawn.astype(np.uint8)))
    return board(tiles, f"{recipe}: the context in full light, targets in colour")


def show_target_reach(recipes: Iterable[str], grid: Grid, count: int) -> Board:
    """How often each patch belongs to at least one target."""
    tiles = list[tuple[str, Pixels]]()
    for recipe in recipes:
        mask = MASKS.parse(recipe).sample(grid, count=count)
        if mask.targets is None:
            raise BadInput(f"{recipe} names no targets; take multi_block().")
        often = mask.targets.any(axis=1).mean(axis=0)
        caption = f"last row {often[-1].mean():.2f}, middle {often[grid.rows // 2].mean():.2f}"
        tiles.append((caption, heat_map(often, CELL)))
    return board(tiles, "share of draws in which a patch is a target: black 0, cream 1", 4)


def show_context(batches: Sequence[int], grid: Grid, count: int) -> Listing:
    """How many patches I-JEPA's official generator leaves to the encoder, by batch size."""
    rows = list[tuple[str, ...]]()
    for recipe in [f"multi_block(legacy=True, batch={batch})" for batch in batches]:
        mask = MASKS.parse(recipe).sample(grid, count=count)
        rows.append((recipe, f"{grid.size - mask.counts.mean():.1f}"))
    free = MASKS.parse("multi_block()").sample(grid, count=count)
    rows.append(("multi_block()", f"{grid.size - free.counts.mean():.1f}"))
    return Listing(("", f"visible of {grid.size} patches, mean"), tuple(rows))


def mask_lab(recipe: str, grid: Grid, count: int, cell: int | None = None) -> Board:
    """A draw, the occupancy and what is hidden together with one patch, for one strategy.

    Args:
        recipe: any strategy's that needs no score map.
        grid: where to draw.
        count: draws to measure.
        cell: row-major number of the patch; by default the middle one.
    """
    strategy = MASKS.parse(recipe)
    at = grid.rows // 2 * grid.cols + grid.cols // 2 if cell is None else cell
    batch, found = strategy.sample(grid, count=count), statistics(strategy, grid, count)
    seen = fit(photo("chelsea"), *grid.pixels, "crop")
    tiles = [
        ("one draw", shaded(seen, batch.hidden[0])),
        ("another", shaded(seen, batch.hidden[min(1, count - 1)])),
        ("hidden how often", heat_map(found.plane, CELL)),
        (f"hidden with patch {at}", heat_map(co_masking(batch, at), CELL)),
    ]
    far = number(found.mean_distance, 2)
    footer = (
        f"{recipe}: ratio {found.ratios.mean():.3f}, {found.pieces.mean():.1f} pieces, border "
        f"{found.border.mean():.0f}, distance {far}; black 0, cream 1; {count} draws"
    )
    return board(tiles, footer, 4)


def show_difficulty(
    recipes: Iterable[str], pictures: Sequence[str], seeds: int, count: int
) -> Listing:
    """Distance to what is visible beside the model's error, over photos and seeds.

    Args:
        recipes: what to hide.
        pictures: names of bundled photos.
        seeds: masks a photo.
        count: draws to measure the distance with.
    """
    rows = list[tuple[str, ...]]()
    for recipe in recipes:
        specs = [
            SceneSpec(photo=name, mask=recipe, seed=k) for name in pictures for k in range(seeds)
        ]
        made = [compose(spec) for spec in specs]
        error = np.mean([scene.metrics.mse for scene in made if scene.metrics.mse is not None])
        found = statistics(MASKS.parse(recipe), made[0].grid, count)
        rows.append((recipe, number(found.mean_distance, 2), f"{error:.4f}"))
    heads = (
        "",
        "distance to the next visible patch",
        f"MSE, mean of {len(pictures) * seeds} scenes",
    )
    return Listing(heads, tuple(rows))
