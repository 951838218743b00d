"""`scores` that a guided mask can follow, and the `score` map of one photo."""

from pathlib import Path
from typing import Annotated, Any

import typer

from workbench.commands.output import AsJson, say, table
from workbench.errors import BadInput, shown


def scores(as_json: AsJson = False) -> None:
    """List the score maps that guided masks can follow, with their knobs."""
    from workbench.scores import SCORES

    described = SCORES.describe()
    rows = [
        (
            row["name"],
            row["kind"],
            " or ".join(row["wants"]) or "-",
            ", ".join(f"{knob['name']}={knob['default']}" for knob in row["knobs"]) or "-",
        )
        for row in described
    ]
    lines = table(("score", "holds", "looks at", "knobs and defaults"), rows)
    lines += ["", *(f"{row['name']}: {row['summary']}" for row in described)]
    lines += [f"Left out: {sentence}." for sentence in SCORES.problems().values()]
    say({"scores": described, "problems": SCORES.problems()}, lines, as_json)


def score(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="For example 'edges()'.")],
    photo: Annotated[
        str, typer.Argument(metavar="PHOTO", help="A PNG, JPEG or WebP file, or a photo's name.")
    ],
    grid: Annotated[
        str | None, typer.Option(help="ROWSxCOLS in patches; without it the model's own.")
    ] = None,
    model: Annotated[str, typer.Option(help="A model's name or a checkpoint's path.")] = "default",
    fit: Annotated[str, typer.Option(help="crop, letterbox or resize.")] = "crop",
    clip: Annotated[Path | None, typer.Option(help="Folder of a CLIP for text_similarity.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write .npy (exact) or a grey .png; without it, print it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make the score map of a photo: one value a patch."""
    from workbench.commands.masks import parse_grid
    from workbench.commands.reconstruct import chosen
    from workbench.data.score_maps import write_map
    from workbench.masks.guided import Guided
    from workbench.scenes import SceneSpec, grid_of, maps_of
    from workbench.scores import SCORES

    member = SCORES.parse(recipe)
    spec, pixels, notes = chosen(SceneSpec().replace(model=model, fit=fit), photo)
    own = grid_of(spec)
    lattice = own if grid is None else parse_grid(grid, own.patch)
    if lattice.frames is not None:
        raise BadInput(f"--grid is {shown(grid)}, but a photo has no frames; write ROWSxCOLS.")
    found = maps_of(spec, Guided(scores=str(member)), lattice, pixels, clip)[str(member)][0]
    low, high = float(found.min()), float(found.max())
    record: dict[str, Any] = {
        "recipe": str(member), "kind": member.kind, "photo": photo, "grid": lattice.record(),
        "model": model if "model" in member.wants else None, "low": low, "high": high,
        "notes": notes,
    }  # fmt: skip
    told = f"{member} of {photo} on {lattice.rows} x {lattice.cols}: {low:.4g} to {high:.4g}"
    if out is None:
        record["map"] = found.tolist()
        lines = [told, *(" ".join(f"{value:9.4g}" for value in row) for row in found)]
    else:
        record["out"] = str(write_map(out, found))
        lines = [told, f"written to {out}"]
    say(record, lines, as_json)
