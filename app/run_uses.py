"""Where a run's model can go from its page: links to other views, and the form that goes on."""

from typing import Any
from urllib.parse import urlencode

from workbench.data.sets import DATASETS
from workbench.errors import BadInput
from workbench.models.catalog import RUN_CARD
from workbench.runs.beginning import RUN, SAME
from workbench.runs.networks import LABELLED, NO_BEGINNING
from workbench.runs.store import Run

TUNING = "cifar10_finetune_tiny"
CARRIED = (*SAME, "data", "size", "crop", "flip", "device", "precision", "threads")


def uses(run: Run, record: dict[str, Any]) -> list[dict[str, str]]:
    """Text, address and a word of explanation of each; none before the first checkpoint."""
    if not run.checkpoints():
        return []
    name = f"{RUN}{run.id}"
    objective = str(record.get("objective", "")).partition("(")[0]
    found: list[dict[str, str]] = []
    fills_in = (run.path / RUN_CARD).is_file()
    if fills_in:
        told = "Hide patches of any photo and see what this model makes of them"
        found.append(_use("Reconstruct", "/", {"model": name}, told))
    if fills_in or objective in LABELLED:
        told = "Attention, heads and blocks of this model"
        found.append(_use("Inside", "/inside", {"network": name}, told))
    if objective in LABELLED:
        told = "Which parts of a picture its answer rests on, by many methods"
        found.append(_use("Attribution", "/attribution", {"network": name}, told))
    kept = objective not in (*LABELLED, *NO_BEGINNING)
    if kept and "labelled" in _gives(str(record.get("data", ""))):
        fields = {key: str(record[key]) for key in CARRIED if key in record}
        called = f"{record.get('name') or run.id}, fine-tuned"
        fields = {"preset": TUNING, "init": name, **fields, "name": called}
        told = "The form of a run that begins at this encoder and learns the labels"
        found.append(_use("Fine-tune", "/train", fields, told))
    return found


def _gives(data: str) -> tuple[str, ...]:
    try:
        return DATASETS.parse(data).gives
    except BadInput:  # of a package that is not installed any more
        return ()


def _use(text: str, path: str, fields: dict[str, str], told: str) -> dict[str, str]:
    return {"text": text, "address": f"{path}?{urlencode(fields)}", "told": told}
