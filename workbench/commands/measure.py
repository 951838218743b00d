"""`measure` a strategy over many draws: the numbers of the mask lab, as a table and as files."""

import dataclasses
import io
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from workbench.commands.arguments import number_option
from workbench.commands.masks import parse_grid
from workbench.commands.output import AsJson, as_text, output_folder, say, table, write_bytes
from workbench.errors import BadInput

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from workbench.analysis.mask_statistics import MaskStatistics
    from workbench.masks import Grid, Strategy
    from workbench.scenes.leak_set import LeakSet


def measure(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE", help="For example 'block(ratio=0.6)'.")
    ],
    grid: Annotated[
        str, typer.Option(help="ROWSxCOLS in patches, or FRAMESxROWSxCOLS for clips.")
    ] = "14x14",
    count: Annotated[int, number_option("How many draws.")] = 10_000,
    seed: Annotated[int, number_option("Decides every random choice.")] = 0,
    photos: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PHOTO",
            help="A file, a folder or a photo's name, as often as you like: what the holes of each "
            "give away (leak meter) and the model's error (difficulty), on the model's own grid. A "
            "strategy that looks at the picture is measured on the first one.",
        ),
    ] = None,
    model: Annotated[str, typer.Option(help="A model's name or a checkpoint's path.")] = "default",
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for statistics.npz, occupancy.png and report.json."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure where a strategy hides, in what pieces and at which frequencies."""
    from workbench.analysis.mask_report import report
    from workbench.analysis.mask_statistics import statistics
    from workbench.masks import MASKS

    strategy = MASKS.parse(recipe)
    frequencies = strategy.domain == "frequency"
    lattice = parse_grid(grid, 1 if frequencies else 16, strategy.domain or "image")
    maps = maps_of(strategy, lattice, photos or [], model) if strategy.needs else None
    found = statistics(strategy, lattice, count, seed, maps)
    record = report(strategy, found, seed)
    lines = told(strategy, found, seed)
    for given in photos or []:
        objects = [] if strategy.needs else overlap(strategy, found, seed, given)
        if objects:
            record.setdefault("objects", {})[given] = objects
            lines += ["", *object_lines(given, objects)]
    if photos and not frequencies:  # the model and the interpolations know of patches only
        leaks = leak_of(strategy, photos, model, seed)
        record["leak"] = leak_record(leaks)
        lines += ["", *leak_lines(leaks)]
    if out is not None:
        folder = output_folder(out)
        write_bytes(folder / "statistics.npz", arrays(found))
        write_bytes(folder / "occupancy.png", heat_png(found))
        write_bytes(folder / "report.json", as_text(record).encode())
        record["out"] = str(folder)
        lines.append(f"written to {folder}")
    say(record, lines, as_json)


def maps_of(
    strategy: "Strategy", grid: "Grid", photos: list[str], model: str
) -> "dict[str, NDArray[np.float32]]":
    """The score maps of the first photo, for a strategy that looks at one.

    Raises:
        BadInput: no photo was given, or a score that it cannot have.
    """
    from workbench.commands.reconstruct import chosen
    from workbench.data import fit
    from workbench.scenes import SceneSpec
    from workbench.scenes.compose import model_of
    from workbench.scenes.maps import scene_maps

    if not photos:
        raise BadInput(
            f"{strategy} looks at the picture, but no photo was given; add --photos astronaut."
        )
    spec, pixels, _ = chosen(SceneSpec().replace(mask=str(strategy), model=model), photos[0])
    if pixels is not None:
        pixels = fit(pixels, *grid.pixels, spec.fit)
    return scene_maps(spec, strategy, grid, model_of, pixels)


def told(strategy: "Strategy", found: "MaskStatistics", seed: int) -> list[str]:
    """The table for people."""
    plane, low = found.plane, found.spectrum.low
    shape = " x ".join(str(side) for side in found.grid.shape)
    rows = [
        _row("hidden share", found.ratios, 4, f"of {found.grid.size} patches"),
        _row("pieces", found.pieces, 2, "connected by sides"),
        _row("border", found.border, 1, "patch edges"),
        _row("to visible", found.distance, 3, "patches"),
        ["occupancy", f"{plane.mean():.4f}", f"{plane.std():.4f}", f"{plane.min():.4f}",
         f"{plane.max():.4f}", "share of draws that hide a patch"],
    ]  # fmt: skip
    agree = [
        ("neighbours alike", found.agreement, f"at random {_number(found.expected_agreement)}"),
        ("next frame alike", found.agreement_in_time, "of the patches"),
        ("visible neighbours", found.adjacency, "pairs a visible patch"),
    ]
    lines = [
        f"{found.count} x {strategy} on {shape}, seed {seed}; the ratio is {strategy.promise}",
        *table(("measure", "mean", "sd", "min", "max", "unit"), rows),
        *(f"{name}: {value:.4f} ({unit})" for name, value, unit in agree if value is not None),
    ]
    if not math.isnan(low):
        lines.append(
            f"power below 1/6, to 1/3, above, in cycles a patch: {low:.3f}, "
            f"{found.spectrum.middle:.3f}, {found.spectrum.high:.3f}"
        )
    return lines


def _row(name: str, values: Any, digits: int, unit: str) -> list[str]:
    from workbench.analysis.mask_report import spread

    spread = spread(values)
    return [name, *(_number(spread[key], digits) for key in ("mean", "sd", "min", "max")), unit]


def _number(value: float | None, digits: int = 4) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def overlap(
    strategy: "Strategy", found: "MaskStatistics", seed: int, photo: str
) -> list[dict[str, Any]]:
    """The objects of a drawn scene under at most 10,000 of the draws."""
    from workbench.scenes import labels

    if not labels.has_labels(photo):
        return []
    mask = strategy.sample(found.grid, min(found.count, 10_000), seed)
    return [dataclasses.asdict(each) for each in labels.overlap(photo, mask)]


def object_lines(photo: str, objects: list[dict[str, Any]]) -> list[str]:
    """The objects for people."""
    rows = [
        [each["name"], *(f"{each[key]:.3f}" for key in ("area", "hidden", "gone", "whole"))]
        for each in objects
    ]
    header = (f"object of {photo}", "area", "hidden", "draws that hide 95%", "show 95%")
    return table(header, rows)


def leak_of(strategy: "Strategy", given: list[str], model: str, seed: int) -> "LeakSet":
    """The means over all photos named."""
    from workbench.commands.reconstruct import chosen
    from workbench.data import folder
    from workbench.scenes import SceneSpec
    from workbench.scenes.leak_set import leak_over

    spec = SceneSpec().replace(mask=str(strategy), model=model, seed=seed)
    names = [
        str(path)
        for each in given
        for path in (folder(each).files if Path(each).is_dir() else [each])
    ]
    pictures: list[tuple[str, Any]] = []
    for name in names:
        named, pixels, _ = chosen(spec, name)
        pictures.append((named.photo, pixels))
    *_, last = leak_over(spec, pictures)
    return last


def leak_record(leaks: "LeakSet") -> dict[str, Any]:
    """The leak meter for report.json."""
    return {
        "mse": dict(leaks.rows),
        "explained": leaks.explained,
        "difficulty": leaks.difficulty,
        "photos": dict(leaks.photos),
    }


def leak_lines(leaks: "LeakSet") -> list[str]:
    """The leak meter for people."""
    rows = [(name, f"{mse:.4f}") for name, mse in leaks.rows]
    return [
        f"mean squared error on hidden pixels in [0, 1] RGB, mean of {leaks.done} photos",
        *table(("filled by", "MSE"), rows),
        f"difficulty (the model's error): {leaks.difficulty:.4f}; interpolation explains "
        f"{leaks.explained:.0%} of what the mean colour leaves open",
    ]


def arrays(found: "MaskStatistics") -> bytes:
    """All arrays as an .npz without pickles."""
    names = ("ratios", "pieces", "border", "distance", "occupancy")
    content: dict[str, Any] = {name: getattr(found, name) for name in names}
    content["frequency"], content["density"] = found.spectrum.frequency, found.spectrum.density
    if found.pairs is not None:
        content["pairs"] = found.pairs
    import numpy as np

    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **content)
    return buffer.getvalue()


def heat_png(found: "MaskStatistics") -> bytes:
    """The occupancy as a picture, black 0 to cream 1."""
    from PIL import Image

    from workbench.plots.heat_map import heat_map

    side = max(1, 448 // max(found.grid.rows, found.grid.cols))
    buffer = io.BytesIO()
    cast(Any, Image.fromarray(heat_map(found.plane, side))).save(buffer, "PNG")
    return buffer.getvalue()
