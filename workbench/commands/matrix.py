"""`matrix`: strategies against ratios on one photo, as pictures and numbers."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from workbench.commands.arguments import number_option
from workbench.commands.models import stop_signal
from workbench.commands.output import AsJson, as_text, output_folder, say, table, write_bytes
from workbench.commands.progress import Telling
from workbench.commands.reconstruct import chosen
from workbench.errors import BadInput, shown

if TYPE_CHECKING:
    from workbench.scenes.matrix import Cell

INTERRUPTED = 130


def matrix(
    photo: Annotated[
        str, typer.Argument(metavar="PHOTO", help="A PNG, JPEG or WebP file, or a photo's name.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the pictures and report.json.")],
    masks: Annotated[
        str | None, typer.Option(help="Recipes separated by semicolons; their ratio is set.")
    ] = None,
    ratios: Annotated[
        str | None, typer.Option(help="Shares to hide, such as 0.3,0.5,0.75.")
    ] = None,
    model: Annotated[str, typer.Option(help="A model's name or a checkpoint's path.")] = "default",
    seed: Annotated[int, number_option("Decides every random choice.")] = 0,
    fit: Annotated[str, typer.Option(help="crop, letterbox or resize.")] = "crop",
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    as_json: AsJson = False,
) -> None:
    """Reconstruct a photo under every strategy at every ratio.

    Writes a picture a cell, all of them together as matrix.png, and report.json. Ctrl+C keeps the
    cells that are made.
    """
    from workbench.masks import MASKS
    from workbench.plots.contact_sheet import contact_sheet
    from workbench.scenes import SceneSpec
    from workbench.scenes.matrix import RATIOS, STRATEGIES
    from workbench.scenes.matrix import matrix as cells_of

    spec = SceneSpec().replace(model=model, seed=seed, fit=fit, precision=precision, device=device)
    spec, pixels, notes = chosen(spec, photo)
    rows: list[str] = (
        [*STRATEGIES] if masks is None else [each for each in masks.split(";") if each]
    )
    for row in rows:
        MASKS.parse(row)
    cols = list(RATIOS) if ratios is None else numbers(ratios)
    folder, telling, made = output_folder(out), Telling("cells"), list["Cell"]()
    status = 0
    with stop_signal() as should_stop:
        for cell in cells_of(spec, rows, cols, pixels):
            made.append(cell)
            telling.tell(len(made), len(rows) * len(cols))
            if should_stop():
                status = INTERRUPTED
                break
    telling.end()
    pictures = {(cell.row, cell.col): cell.composite for cell in made}
    known = {place: picture for place, picture in pictures.items() if picture is not None}
    for (row, col), picture in known.items():
        write_bytes(folder / f"cell-{row}-{col}.png", _png(picture))
    if known:
        sheet = contact_sheet(known, rows, [f"{col:g}" for col in cols])
        write_bytes(folder / "matrix.png", _png(sheet))
    record = report(spec, rows, cols, made, [*notes])
    write_bytes(folder / "report.json", as_text(record).encode())
    say(record, [*lines(rows, cols, made), f"written to {folder}"], as_json)
    if status:
        raise typer.Exit(status)


def numbers(text: str) -> list[float]:
    """Ratios from "0.3,0.5"; BadInput for anything else."""
    try:
        found = [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        found = []
    if not found or not all(0 <= ratio <= 1 for ratio in found):
        raise BadInput(
            f"--ratios is {shown(text)}, wanted numbers from 0 to 1 separated by commas; write for "
            "example 0.3,0.5,0.75."
        )
    return found


def report(
    spec: Any, rows: list[str], cols: list[float], made: "list[Cell]", notes: list[str]
) -> dict[str, Any]:
    """What report.json holds; errors are over hidden pixels of the composite, in [0, 1] RGB."""
    from workbench import __version__

    return {
        "photo": spec.photo, "model": spec.model, "seed": spec.seed, "fit": spec.fit,
        "masks": rows, "ratios": cols, "cells": [_record(cell) for cell in made],
        "finished": len(made) == len(rows) * len(cols), "notes": notes, "version": __version__,
    }  # fmt: skip


def _record(cell: "Cell") -> dict[str, Any]:
    metrics, hidden = cell.metrics, cell.hidden
    return {
        "row": cell.row, "col": cell.col,
        "mask": None if cell.spec is None else cell.spec.mask,
        "hidden": None if hidden is None else int(hidden.sum()),
        "patches": None if hidden is None else hidden.size,
        "mse": None if metrics is None else metrics.mse,
        "psnr": None if metrics is None else metrics.psnr_db,
        "ssim": None if metrics is None else metrics.ssim,
        "picture": None if cell.composite is None else f"cell-{cell.row}-{cell.col}.png",
        "note": cell.note,
    }  # fmt: skip


def lines(rows: list[str], cols: list[float], made: "list[Cell]") -> list[str]:
    """A table of mean squared errors for people."""
    known = {
        (cell.row, cell.col): format(cell.metrics.mse, ".4f")
        for cell in made if cell.metrics is not None and cell.metrics.mse is not None
    }  # fmt: skip
    body = [
        [name, *(known.get((row, col), "-") for col in range(len(cols)))]
        for row, name in enumerate(rows)
    ]
    told = sorted({cell.note for cell in made if cell.note})
    return [*table(["MSE, hidden:", *(f"{col:g}" for col in cols)], body), *told]


def _png(picture: Any) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    cast(Any, Image.fromarray(picture)).save(buffer, "PNG")
    return buffer.getvalue()
