"""`interventions` that can be made inside a network, and `attend`: what it looks at on a photo."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench.commands.arguments import number_option
from workbench.commands.output import (
    AsJson,
    as_text,
    check_folder,
    output_folder,
    say,
    table,
    write_bytes,
)
from workbench.errors import BadInput

if TYPE_CHECKING:
    from workbench.scenes.inside import Inside
    from workbench.scenes.inside_spec import InsideSpec


def interventions(as_json: AsJson = False) -> None:
    """List what can be hidden inside a network while it runs, with knobs."""
    from workbench.interventions import INTERVENTIONS

    described = INTERVENTIONS.describe()
    rows = [
        (
            row["name"],
            " ".join(row["on"]),
            " ".join(row["wants"]) or "-",
            ", ".join(f"{knob['name']}={_value(knob['default'])}" for knob in row["knobs"]) or "-",
        )
        for row in described
    ]
    lines = table(("intervention", "in", "wants", "knobs and defaults"), rows)
    lines += ["", *(f"{row['name']}: {row['summary']}" for row in described)]
    lines += [f"Left out: {sentence}." for sentence in INTERVENTIONS.problems().values()]
    say({"interventions": described, "problems": INTERVENTIONS.problems()}, lines, as_json)


def _value(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def attend(
    photo: Annotated[
        str, typer.Argument(metavar="PHOTO", help="A PNG, JPEG or WebP file, or a photo's name.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the pictures, maps.npz and report.json.")],
    model: Annotated[
        str,
        typer.Option(help="A model's name, a checkpoint's path or folder, or timm:NAME."),
    ] = "default",
    weights: Annotated[
        Path | None, typer.Option(help="With timm:NAME, a file of its weights.")
    ] = None,
    query: Annotated[
        int | None, number_option("Patch that asks, row by row from 0; else the class token.")
    ] = None,
    mask: Annotated[str, typer.Option(help="Recipe of patches to hide; none without it.")] = "",
    hide: Annotated[str, typer.Option(help="drop the tokens, or hide their keys.")] = "drop",
    change: Annotated[
        str, typer.Option(help="Interventions, such as 'heads_off(layer=3, heads=[0, 5])'.")
    ] = "",
    part: Annotated[
        str, typer.Option(help="encoder, or decoder: what mask tokens look at; wants --mask.")
    ] = "encoder",
    whole: Annotated[
        str, typer.Option(help="Over all layers: rollout, similarity or relevance.")
    ] = "rollout",
    scale: Annotated[
        str, typer.Option(help="fixed: one colour scale for all maps; each: its own.")
    ] = "fixed",
    fit: Annotated[str, typer.Option(help="crop, letterbox or resize.")] = "crop",
    seed: Annotated[int, number_option("Decides the mask.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Write what every head of a transformer looks at on a photo.

    heads.png (one picture a head), whole.png (over all layers), with interventions or a mask also
    change.png, maps.npz with all numbers, and report.json.
    """
    from workbench.runs.networks import named_network
    from workbench.scenes.inside import look_inside
    from workbench.scenes.inside_spec import InsideSpec

    if query is not None and query < 0:
        raise BadInput(f"--query is {query}, but patches count from 0; leave it out for the class.")
    check_folder(out)
    pixels, notes = opened(photo)
    network = named_network(model, weights)
    spec = InsideSpec(
        photo=photo, fit=fit, model=model, mask=mask, hide=hide, change=change,  # pyright: ignore
        query=-1 if query is None else query, scale=scale, seed=seed,  # pyright: ignore
        part=part, whole=whole,  # pyright: ignore
    )  # fmt: skip
    found = look_inside(spec, pixels, network)
    output_folder(out)
    record = _record(found, spec, [*notes, *found.notes])
    _write(found, spec, out)
    write_bytes(out / "report.json", as_text(record).encode())
    say(record, [*_lines(found, record), f"written to {out}"], as_json)


def opened(given: str) -> tuple[Any, list[str]]:
    """A photo of the user's, or a bundled one: uint8 [h, w, 3], and what there is to say of it."""
    from workbench.commands.reconstruct import chosen
    from workbench.scenes import SceneSpec
    from workbench.scenes.photos import source

    spec, pixels, notes = chosen(SceneSpec(), given)
    return (source(spec.photo) if pixels is None else pixels), notes


def _record(found: "Inside", spec: "InsideSpec", notes: list[str]) -> dict[str, Any]:
    from workbench import __version__

    return {
        "photo": spec.photo, "model": spec.model, "fit": spec.fit, "seed": spec.seed,
        "mask": spec.mask, "hide": spec.hide, "change": spec.change, "asks": found.asks,
        "grid": found.grid.record(), "prefix": found.prefix, "heads": list(found.heads),
        "distance_px": found.distance.tolist(), "entropy": found.entropy.tolist(),
        "diversity": found.diversity.tolist(), "part": spec.part, "whole": spec.whole,
        "over_layers": found.rollout.tolist(),
        "moved": found.moved, "milliseconds": list(found.milliseconds),
        "scores": [{"class": n, "plain": a, "changed": b} for n, a, b in found.scores],
        "scale": spec.scale, "top": found.top if spec.scale == "fixed" else None,
        "notes": notes, "version": __version__,
    }  # fmt: skip


def _lines(found: "Inside", record: dict[str, Any]) -> list[str]:
    def mean(row: Any, digits: int = 3) -> str:
        known = [value for value in row.tolist() if value == value]
        return f"{sum(known) / len(known):.{digits}f}" if known else "skipped"

    rows = [
        (str(layer), str(found.heads[layer]), mean(found.distance[layer], 1),
         mean(found.entropy[layer]), mean(found.diversity[layer : layer + 1]))
        for layer in range(len(found.heads))
    ]  # fmt: skip
    lines = [f"{record['asks']} of {record['model']} on {record['photo']}:"]
    lines += table(("layer", "heads", "distance px", "entropy", "diversity"), rows)
    lines.append("Entropy: 0 for one patch, 1 for all alike; diversity: 0 where heads look alike.")
    if record["change"] or record["mask"]:
        plain, changed = record["milliseconds"]
        lines.append(
            f"changed by {record['change'] or record['mask']}: the answer moved by "
            f"{found.moved:.4f} (1 - cosine), {plain:.1f} ms became {changed:.1f} ms"
        )
    lines += [f"{name}: {a:.3f} -> {b:.3f}" for name, a, b in found.scores]
    return lines + list(record["notes"])


def _write(found: "Inside", spec: "InsideSpec", out: Path) -> None:
    import numpy as np

    from workbench.plots.difference import difference_map
    from workbench.plots.head_grid import head_grid, scaled
    from workbench.plots.heat_map import heat_map

    fixed = spec.scale == "fixed"
    sheet = head_grid(found.maps, found.heads, found.top if fixed else None)
    write_bytes(out / "heads.png", _png(sheet))
    write_bytes(out / "photo.png", _png(found.photo))
    rolled, _ = scaled(found.rollout, None)
    write_bytes(out / "whole.png", _png(heat_map(rolled, found.grid.patch)))
    if spec.change or spec.mask:
        moved = np.repeat(np.repeat(found.rollout - found.plain_rollout, 16, 0), 16, 1)
        largest = float(np.nanmax(np.abs(moved), initial=0)) or 1.0
        write_bytes(out / "change.png", _png(difference_map(moved, largest)))
    kept = io.BytesIO()
    np.savez_compressed(
        kept, maps=found.maps, plain=found.plain, rollout=found.rollout, hidden=found.hidden,
        plain_rollout=found.plain_rollout, similar=found.similar, distance=found.distance,
        entropy=found.entropy, diversity=found.diversity,
    )  # fmt: skip
    write_bytes(out / "maps.npz", kept.getvalue())


def _png(pixels: Any) -> bytes:
    from PIL import Image

    kept = io.BytesIO()
    Image.fromarray(pixels).save(kept, "PNG")
    return kept.getvalue()
