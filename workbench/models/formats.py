"""Load a model by name or path, whatever wrote it."""

import re
from pathlib import Path
from typing import Literal

import torch

from workbench.errors import BadInput, shown
from workbench.models.catalog import list_models
from workbench.models.checkpoint import read_checkpoint
from workbench.models.precision import bf16_pays
from workbench.models.reconstruction import Reconstructor
from workbench.models.safe_load import SUFFIXES


def load_reconstructor(
    name_or_path: str | Path = "default", device: str = "auto", precision: str = "auto"
) -> Reconstructor:
    """Load."""
    place = choose_device(device)
    found = read_checkpoint(locate(name_or_path))
    return Reconstructor(found, device=place, precision=choose_precision(precision, place))


def locate(name_or_path: str | Path) -> Path:
    """The file or folder meant: a path if it has a separator or a weights file's ending.

    Raises:
        BadInput: an address, a path to nothing, or a name that is not known.
    """
    text = str(name_or_path)
    if re.match(r"[A-Za-z][A-Za-z0-9+.\-]+:(?![\\])", text):
        raise BadInput(
            f"{shown(text)} is an address, wanted a name or a path; nothing is downloaded here, so "
            "fetch the files first and give their folder."
        )
    if isinstance(name_or_path, Path) or re.search(r"[/\\]", text) or text.endswith(SUFFIXES):
        path = Path(name_or_path)
        if path.is_file() or path.is_dir():
            return path
        raise BadInput(
            f"there is no file or folder {shown(text, 200)}; check the path, or fetch a model from "
            "a hub first: nothing is downloaded here."
        )
    known = {info.name: info.path for info in list_models()}
    if text in known:
        return known[text]
    raise BadInput(
        f"no model is called {shown(text)}; known models: {', '.join(known) or 'none'}; "
        "a path needs a separator, such as ./NAME."
    )


def choose_device(device: str) -> torch.device:
    """The device meant; "auto" takes CUDA where there is one.

    Raises:
        BadInput: a device that is not there.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind = str(device).split(":")[0]
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if there.get(kind, False):
        try:
            place = torch.device(device)
            if kind != "cuda" or (place.index or 0) < torch.cuda.device_count():
                return place
        except RuntimeError:
            pass
    names = ", ".join(name for name, found in there.items() if found)
    raise BadInput(f"device is {shown(device)}, but this machine has {names}; take auto.")


def choose_precision(precision: str, device: torch.device) -> Literal["fp32", "bf16"]:
    """The number format meant; "auto" takes bf16 where it was measured to pay.

    Raises:
        BadInput: another name.
    """
    if precision == "auto":
        return "bf16" if bf16_pays(device) else "fp32"
    if precision not in ("fp32", "bf16"):
        raise BadInput(f"precision is {shown(precision)}, wanted auto, fp32 or bf16.")
    return precision
