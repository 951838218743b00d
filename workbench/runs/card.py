"""The end of a pretraining: weights, a card that says where they come from, and what they reach."""

import csv
import hashlib
import io
import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from workbench.data.samples import held_out, photo
from workbench.evaluations.reconstruction import measure
from workbench.models import export_run, load_reconstructor
from workbench.models.catalog import read_json


def publish(
    run: Path,
    weights: Path,
    title: str,
    *,
    masks: int = 8,
    report: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Write the model of a run with its card and manifest beside it.

    Args:
        run: folder of a pretraining.
        weights: the .safetensors file to write; the card takes the ending .json, the list of photos
            .manifest.csv.
        title: one line for people.
        masks: masks a photo and ratio in the measured table; 0 leaves the table out.
        report: called with (done, all) while measuring.

    Returns:
        The card. `data` counts the photos by source and licence, `measured` is the table on the
        bundled held-out photos (`python -m workbench evaluate` repeats it).
    """
    manifest = run / "manifest.csv"
    told = {"title": title, "data": _data(manifest), "trained_with": f"torch {torch.__version__}"}
    card = export_run(run, weights, told)
    shutil.copyfile(manifest, weights.with_suffix(".manifest.csv"))
    if masks == 0:
        return card
    # Measured on the file as written: half-precision weights, exact arithmetic.
    model = load_reconstructor(weights, device="cpu", precision="fp32")
    pictures = [(info.name, photo(info.name)) for info in held_out()]
    table = measure(model, pictures, name=weights.stem, masks=masks, report=report).as_dict()
    return add_to_card(weights, {"measured": table})


def add_to_card(weights: Path, more: dict[str, Any]) -> dict[str, Any]:
    """Add entries to the card of a checkpoint of ours; the weights and their hash stay."""
    path = weights.with_suffix(".json")
    card = {**read_json(path), **more}
    temporary = path.with_suffix(".json.tmp")
    temporary.write_text(json.dumps(card, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    temporary.replace(path)
    return card


def _data(manifest: Path) -> dict[str, Any]:
    raw = manifest.read_bytes()
    rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8"), newline="")))
    folders = Counter(row["file"].partition("/")[0] for row in rows)
    licences = Counter(row["licence"] for row in rows)
    return {
        "photos": len(rows),
        "folders": dict(folders),
        "licences": dict(licences.most_common()),
        "manifest_sha256": hashlib.sha256(raw).hexdigest(),
    }
