"""`masks import`: masks that other programs saved, as files and recipes of ours."""

from pathlib import Path
from typing import Annotated, Any

import typer

from workbench.commands.arguments import number_option
from workbench.commands.masks import parse_grid
from workbench.commands.output import AsJson, say
from workbench.errors import BadInput

masks = typer.Typer(help="Masks of other programs.", no_args_is_help=True)


@masks.callback()
def about() -> None:
    """Masks of other programs."""


@masks.command("import")
def import_(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="LabelMe's .json, CVAT's .xml (for images 1.1), .npz, .png, .json or .rle.json.",
        ),
    ],
    grid: Annotated[str, typer.Option(help="ROWSxCOLS in patches.")] = "14x14",
    patch: Annotated[int, number_option("Side of a patch in pixels.")] = 16,
    out: Annotated[
        Path | None, typer.Option(help="Write .npz, .png, .json or .rle.json as well.")
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option(help="Hide what carries this label; may be repeated.")
    ] = None,
    image: Annotated[str | None, typer.Option(help="Picture of a CVAT export, by name.")] = None,
    threshold: Annotated[float, typer.Option(help="Share of a patch that must be covered.")] = 0.5,
    fit: Annotated[str, typer.Option(help="resize, crop or letterbox.")] = "resize",
    as_json: AsJson = False,
) -> None:
    """Read masks or annotations onto a grid and print them as recipes.

    Annotated things become patches hidden by hand: `painted(hide="...")`.
    """
    from workbench.masks import imports
    from workbench.scenes.paint import patch_ranges

    lattice = parse_grid(grid, patch)
    if lattice.frames is not None:
        raise BadInput(f"--grid is {grid}, but annotations lie on single pictures; write 14x14.")
    mask = imports.read(
        file, lattice, labels=label or (), image=image, threshold=threshold,
        fit=fit,  # pyright: ignore[reportArgumentType]
    )  # fmt: skip
    recipes = [f'painted(hide="{patch_ranges(one.to_bits())}")' for one in mask]
    record: dict[str, Any] = {
        "file": file.name,
        "grid": lattice.record(),
        "count": len(mask),
        "patches": lattice.size,
        "hidden": mask.counts.tolist(),
        "recipes": recipes,
    }
    lines = [
        f"{count} of {lattice.size} patches hidden: {recipe}"
        for count, recipe in zip(record["hidden"], recipes, strict=True)
    ]
    if out is not None:
        record["out"] = str(mask.save(out))
        lines.append(f"written to {out}")
    say(record, lines, as_json)
