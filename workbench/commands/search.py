"""`search` for the mask that hurts most, or for the fewest patches that still show the picture."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench.commands.models import stop_signal
from workbench.commands.output import AsJson, as_text, output_folder, say, write_bytes
from workbench.commands.progress import Telling
from workbench.commands.reconstruct import chosen
from workbench.errors import BadInput, nearest, shown

if TYPE_CHECKING:
    from workbench.scenes.searches import Progress, Search

SHORT = {"worst": "worst_mask", "smallest": "smallest_visible_set"}
INTERRUPTED = 130


def search(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="worst|smallest|RECIPE",
            help="Or a whole recipe, such as 'worst_mask(ratio=0.6, children=48)'.",
        ),
    ],
    photo: Annotated[
        str, typer.Argument(metavar="PHOTO", help="A PNG, JPEG or WebP file, or a photo's name.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the mask, the pictures and report.json.")],
    ratio: Annotated[float | None, typer.Option(help="worst: share to hide.")] = None,
    evaluations: Annotated[int | None, typer.Option(help="worst: masks to try.")] = None,
    aim: Annotated[float | None, typer.Option(help="smallest: PSNR to reach, in dB.")] = None,
    pixels: Annotated[
        str | None, typer.Option(help="smallest: measure on whole or hidden pixels.")
    ] = None,
    share: Annotated[
        float | None, typer.Option(help="smallest: share of the patches tried a round.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Decides every random choice.")] = None,
    model: Annotated[str, typer.Option(help="A model's name or a checkpoint's path.")] = "default",
    fit: Annotated[str, typer.Option(help="crop, letterbox or resize.")] = "crop",
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    as_json: AsJson = False,
) -> None:
    """Look for a mask by asking the model about thousands.

    Writes mask.npz, masked.png, composite.png (which restores the view in the app) and report.json.
    The same recipe on the same photo and machine finds the same mask. Ctrl+C keeps the best so far.
    """
    from workbench.scenes import SceneSpec
    from workbench.scenes.searches import watched

    knobs = {
        "ratio": ratio, "evaluations": evaluations, "aim": aim, "pixels": pixels, "share": share,
        "seed": seed,
    }  # fmt: skip
    looked_for = with_knobs(kind, {key: value for key, value in knobs.items() if value is not None})
    spec = SceneSpec().replace(model=model, fit=fit, precision=precision, device=device)
    spec, given, notes = chosen(spec, photo)
    folder, telling = output_folder(out), Telling("masks")
    last: Progress | None = None
    with stop_signal() as should_stop:
        for last in watched(spec, looked_for, given):
            state = last.state
            telling.tell(state.evaluations, state.planned, f", best {state.value:.4f}")
            if should_stop():
                break
    telling.end()
    if last is None:
        raise KeyboardInterrupt
    record = kept(last, given, folder, notes)
    say(record, [sentence(record), f"written to {folder}"], as_json)
    if not last.finished:
        raise typer.Exit(INTERRUPTED)


def with_knobs(kind: str, changes: dict[str, Any]) -> "Search":
    """The search of a short name or a recipe, with some knobs set.

    Raises:
        BadInput: an unknown search, or a knob that it does not have.
    """
    from workbench.scenes.searches import SEARCHES

    name = kind.partition("(")[0].strip()
    if name.isidentifier() and name not in (*SHORT, *SEARCHES.names()):
        raise BadInput(
            f"{shown(kind)} is no search; write worst, smallest, or a recipe of "
            f"{', '.join(SEARCHES.names())}{nearest(name, SHORT)}."
        )
    found = SEARCHES.parse(SHORT.get(kind, kind))
    known = [field.name for field in dataclasses.fields(found)]
    for name in changes:
        if name not in known:
            raise BadInput(
                f"--{name} is no setting of {found.name}; it has {', '.join(known)}, leave "
                f"--{name} out."
            )
    return dataclasses.replace(found, **changes)


def kept(found: "Progress", given: Any, folder: Path, notes: list[str]) -> dict[str, Any]:
    """Write mask, pictures and report; returns the report."""
    from workbench import __version__
    from workbench.masks import Mask
    from workbench.scenes import compose, export_png

    scene = compose(found.spec, given)
    Mask(found.state.hidden[None], scene.grid).save(folder / "mask.npz")
    for which in ("masked", "composite"):
        write_bytes(folder / f"{which}.png", export_png(scene, which))
    state, metrics = found.state, scene.metrics
    record: dict[str, Any] = {
        "search": str(found.search),
        "photo": found.spec.photo,
        "model": found.spec.model,
        "model_hash": scene.model_hash,
        "precision": found.spec.precision,
        "fit": found.spec.fit,
        "mask": found.spec.mask,
        "hidden": scene.card.hidden,
        "patches": scene.card.total,
        "error": state.error,
        "value": state.value,
        "reached": state.reached,
        "mse": metrics.mse,
        "psnr": metrics.psnr_db,
        "ssim": metrics.ssim,
        "evaluations": state.evaluations,
        "seconds": found.seconds,
        "axes": found.search.axes,
        "history": found.history,
        "finished": found.finished,
        "notes": [*notes, *scene.notes],
        "version": __version__,
    }
    write_bytes(folder / "report.json", as_text(record).encode())
    return record


def sentence(record: dict[str, Any]) -> str:
    """One line for people."""
    rate = record["evaluations"] / record["seconds"] if record["seconds"] else 0
    visible = record["patches"] - record["hidden"]
    psnr = "undefined" if record["psnr"] is None else f"{record['psnr']:.2f} dB"
    end = "" if record["finished"] else " Stopped early: this is the best so far."
    if record["reached"] is not None:
        end = f" The aim is {'' if record['reached'] else 'not '}reached.{end}"
    return (
        f"{record['search']} on {record['photo']}: {visible} of {record['patches']} patches "
        f"visible, PSNR {psnr} on hidden pixels (MSE {record['mse']:.4f}), after "
        f"{record['evaluations']} masks, {rate:.0f} a second.{end}\n{record['mask']}"
    )
