"""Which models there are: their cards, read without torch."""

import contextlib
import hashlib
import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from workbench.data.home import home
from workbench.errors import BadInput, shown

SCHEMA = 1
BUNDLED = Path(__file__).resolve().parents[2] / "assets" / "checkpoints"
CARD_BYTES = 1 << 20
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,127}")


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """One model of ours as its card describes it; `path` is the weights file."""

    name: str
    title: str
    path: Path
    rows: int
    cols: int
    patch: int
    norm_pix: bool
    sha256: str
    bundled: bool

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the pictures it reads, in pixels."""
        return self.rows * self.patch, self.cols * self.patch

    def intact(self) -> bool:
        """Whether the weights file is there and has the hash that the card states."""
        return self.path.is_file() and file_hash(self.path) == self.sha256


def model_folders() -> list[tuple[Path, bool]]:
    """Where models are looked for, and whether that folder came with the project."""
    folders = [(BUNDLED, True)]
    with contextlib.suppress(BadInput):  # the bundled model needs no place of the user's own
        folders.append((home() / "models", False))
    return folders


def list_models() -> list[ModelInfo]:
    """Every model that can be loaded by name, bundled ones first; needs no torch.

    A card that cannot be read is left out here and named by `broken_cards`.
    """
    return list(_survey()[0].values())


def broken_cards() -> list[str]:
    """One sentence for each card that `list_models` leaves out."""
    return _survey()[1]


def _survey() -> tuple[dict[str, ModelInfo], list[str]]:
    found: dict[str, ModelInfo] = {}
    broken: list[str] = []
    for folder, bundled in model_folders():
        for path in sorted(folder.glob("*.json")):
            if path.stem in found or not NAME.fullmatch(path.stem):
                continue
            try:
                stat = path.stat()
                found[path.stem] = _info(path, bundled, stat.st_mtime_ns, stat.st_size)
            except (BadInput, OSError) as error:
                broken.append(str(error))
    return found, broken


@lru_cache(maxsize=256)
def _info(path: Path, bundled: bool, changed: int, size: int) -> ModelInfo:
    """Read one card; `changed` and `size` keep the cache honest."""
    card = read_card(path)
    shape = card["shape"]
    return ModelInfo(
        name=path.stem,
        title=str(card.get("title") or path.stem)[:200],
        path=path.with_suffix(".safetensors"),
        rows=shape["rows"],
        cols=shape["cols"],
        patch=shape["patch"],
        norm_pix=card["norm_pix"],
        sha256=card["sha256"],
        bundled=bundled,
    )


def read_json(path: Path) -> dict[str, Any]:
    """Read a small json object.

    Raises:
        BadInput: missing, over 1 MB, not json, or not an object.
    """
    try:
        size = path.stat().st_size
        if size > CARD_BYTES:
            raise BadInput(f"{path} has {size} bytes, wanted at most {CARD_BYTES}; write it anew.")
        found: object = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(
            f"{path} cannot be read ({error.strerror}); it must lie beside the weights."
        ) from None
    except (ValueError, RecursionError) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(f"{path} is not json text; write the card anew or fetch it again.") from None
    if not isinstance(found, dict):
        raise BadInput(f"{path} holds {shown(found)}, wanted a json object; write it anew.")
    return cast(dict[str, Any], found)


def read_card(path: Path) -> dict[str, Any]:
    """Read and check the card of one of our checkpoints.

    Raises:
        BadInput: see `read_json`; another schema; a field missing or out of range.
    """
    card = read_json(path)
    if card.get("schema") != SCHEMA:
        raise BadInput(
            f"{path} has schema {shown(card.get('schema'))}, wanted {SCHEMA}; "
            "update the workbench or export the model again."
        )
    counts = {
        "shape": {"rows": 4096, "cols": 4096, "patch": 1024, "dim": 65536, "depth": 512,
                  "heads": 1024, "hidden": 1 << 20},
        "decoder": {"dim": 65536, "depth": 512, "heads": 1024, "hidden": 1 << 20},
    }  # fmt: skip
    for part, fields in counts.items():
        values = card.get(part)
        for field, limit in fields.items():
            value = values.get(field) if isinstance(values, dict) else None
            if type(value) is not int or not 1 <= value <= limit:
                raise BadInput(
                    f"{path}: {part}.{field} is {shown(value)}, wanted a whole number from 1 to "
                    f"{limit}; export the model again."
                )
    _check_options(path, card["shape"])
    for field, kind in (("norm_pix", bool), ("sha256", str)):
        if type(card.get(field)) is not kind:
            raise BadInput(
                f"{path}: {field} is {shown(card.get(field))}, wanted a {kind.__name__}; "
                "export the model again."
            )
    return card


def _check_options(path: Path, shape: dict[str, Any]) -> None:
    """Check the fields of a shape that may be left out."""
    flags = ("class_token", "positions_for_prefix", "layer_scale", "pre_norm", "qkv_bias")
    fine = {flag: type(shape.get(flag, True)) is bool for flag in (*flags, "final_norm")}
    registers, eps = shape.get("registers", 0), shape.get("eps", 1e-6)
    fine["registers"] = type(registers) is int and 0 <= registers <= 1024
    fine["eps"] = type(eps) is float and 0 < eps < 1
    for field, good in fine.items():
        if not good:
            raise BadInput(
                f"{path}: shape.{field} is {shown(shape[field])}, which no model has; "
                "export the model again."
            )


def file_hash(path: Path) -> str:
    """SHA-256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
