"""`draw` masks from a recipe, and list the `strategies` that a recipe can name."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench.commands.arguments import number_option
from workbench.commands.output import AsJson, say, table
from workbench.errors import BadInput, shown

if TYPE_CHECKING:
    from workbench.masks import Grid, Strategy

GRID = re.compile(r"(?:(\d{1,8})x)?(\d{1,8})x(\d{1,8})")


def draw(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE", help="For example 'block(ratio=0.6)'.")
    ],
    grid: Annotated[
        str, typer.Option(help="ROWSxCOLS in patches, or FRAMESxROWSxCOLS for clips.")
    ] = "14x14",
    patch: Annotated[int, number_option("Side of a patch in pixels.")] = 16,
    count: Annotated[int, number_option("How many masks.")] = 1,
    seed: Annotated[int, number_option("Decides every random choice.")] = 0,
    step: Annotated[int, number_option("Training step that the masks are for.")] = 0,
    first: Annotated[int, number_option("Index of the first image.")] = 0,
    progress: Annotated[float, typer.Option(help="Progress of a training, for schedules.")] = 0.0,
    photo: Annotated[
        str | None, typer.Option(help="Photo, by name or file, for masks that look at one.")
    ] = None,
    model: Annotated[str, typer.Option(help="Model that looks at it, if one must.")] = "default",
    out: Annotated[
        Path | None,
        typer.Option(help="Write .npz, .png, .json or .rle.json; without it, print the masks."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Draw masks from a recipe.

    A written .npz holds the array `hidden`, bool, True where a patch is hidden. Frames of a clip
    are views, modalities or bands for strategies that say so; frequencies are --patch 1.
    """
    from workbench.masks import MASKS

    strategy = MASKS.parse(recipe)
    lattice = parse_grid(grid, patch, strategy.domain or "image")
    maps = photo_maps(strategy, lattice, photo, model, count)
    mask = strategy.sample(lattice, count, seed, step, first, progress, maps)
    counts = mask.counts
    record: dict[str, Any] = {
        "recipe": str(strategy),
        "grid": lattice.record(),
        "count": len(mask),
        "seed": seed,
        "step": step,
        "first": first,
        "progress": progress,
        "patches": lattice.size,
        "hidden": {
            "min": int(counts.min()),
            "max": int(counts.max()),
            "mean": float(counts.mean()),
        },
        "ratio": float(mask.ratio.mean()),
    }
    shape = " x ".join(str(side) for side in lattice.shape)
    low, high = record["hidden"]["min"], record["hidden"]["max"]
    told = (
        f"{len(mask)} x {strategy} on {shape}, seed {seed}: "
        f"{low if low == high else f'{low} to {high}'} of {lattice.size} patches hidden "
        f"(ratio {record['ratio']:.4f} realised)"
    )
    if out is None:
        record["masks"] = [one.to_bits() for one in mask]
        lines = [told, *("\n" + picture(bits, lattice.cols) for bits in record["masks"])]
    else:
        record["out"] = str(mask.save(out))
        lines = [told, f"written to {out}"]
    say(record, lines, as_json)


def photo_maps(
    strategy: "Strategy", grid: "Grid", photo: str | None, model: str, count: int
) -> "dict[str, Any]":
    """The score maps of one photo, the same for every mask; {} for strategies that need none.

    Raises:
        BadInput: the strategy looks at a photo, but none was given.
    """
    if not strategy.needs:
        return {}
    if photo is None:
        raise BadInput(
            f"{strategy.name} looks at a photo, but none was given; add --photo astronaut or a "
            "file of yours."
        )
    import numpy as np

    from workbench.commands.reconstruct import chosen
    from workbench.scenes import SceneSpec, maps_of

    spec, pixels, _ = chosen(SceneSpec(model=model), photo)
    found = maps_of(spec, strategy, grid, pixels)
    return {recipe: np.repeat(each, count, axis=0) for recipe, each in found.items()}


def picture(bits: str, cols: int) -> str:
    """A mask as text, `#` hidden and `.` visible."""
    signs = bits.replace("1", "#").replace("0", ".")
    return "\n".join(signs[at : at + cols] for at in range(0, len(signs), cols))


def parse_grid(text: str, patch: int, domain: str = "image") -> "Any":
    """Read `14x14` or `8x14x14` into a Grid; BadInput for anything else."""
    from workbench.masks import Grid

    match = GRID.fullmatch(text.strip().lower())
    if match is None:
        raise BadInput(f"--grid is {shown(text)}, but must be ROWSxCOLS; write 14x14.")
    frames = None if match[1] is None else int(match[1])
    return Grid(int(match[2]), int(match[3]), patch=patch, frames=frames, domain=domain)


def strategies(as_json: AsJson = False) -> None:
    """List the mask strategies with their knobs."""
    from workbench.masks import MASKS

    described = MASKS.describe()
    rows = [
        (row["name"], row["counts"], ", ".join(_knob(knob) for knob in row["knobs"]))
        for row in described
    ]
    lines = table(("strategy", "ratio is", "knobs and defaults"), rows)
    lines += ["", *(f"{row['name']}: {row['summary']}" for row in described)]
    lines += [f"Left out: {sentence}." for sentence in MASKS.problems().values()]
    say({"strategies": described, "problems": MASKS.problems()}, lines, as_json)


def _knob(knob: dict[str, Any]) -> str:
    return f"{knob['name']}={knob['default']}"
