"""Which models there are: their cards, read without torch."""

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from workbench.data.home import home
from workbench.errors import BadInput, shown
from workbench.models.headers import HF_WEIGHTS, SUFFIXES, Header, describe, read_json

SCHEMA = 1
TOKENS = "mask tokens in the encoder"  # what the card of a model without a decoder says instead
RUN, RUN_CARD, RUN_WEIGHTS = "run:", "model.json", "checkpoints"
BUNDLED = Path(__file__).resolve().parents[2] / "assets" / "checkpoints"
NETWORKS = BUNDLED.parent / "networks"  # classifiers that came with the project, as timm's folders
OURS = "workbench"
ENDINGS = (".json", *SUFFIXES)
Stamp = tuple[tuple[int, int], ...]
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,127}")


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """One model as its card or its file's header describes it.

    `path` is what loads it and `weights` the file of its numbers. `norm_pix` is None where the file
    is silent, and `sha256` "" where no card states it: a header is read, not the whole file.
    `origin` names the format.
    """

    name: str
    title: str
    path: Path
    weights: Path
    rows: int
    cols: int
    patch: int
    norm_pix: bool | None
    sha256: str
    bundled: bool
    origin: str = OURS

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the pictures it reads, in pixels."""
        return self.rows * self.patch, self.cols * self.patch

    @property
    def label(self) -> str:
        """What a menu shows: the name, and for a run, whose name is an id, its title."""
        return self.title if self.name.startswith(RUN) else self.name

    def intact(self) -> bool:
        """Whether the weights file is there and has the hash that its card states, if any."""
        if not self.weights.is_file():
            return False
        return not self.sha256 or file_hash(self.weights) == self.sha256


def model_folders() -> list[tuple[Path, bool]]:
    """Where models are looked for, and whether that folder came with the project."""
    folders = [(BUNDLED, True)]
    with contextlib.suppress(BadInput):  # the bundled model needs no place of the user's own
        folders.append((home() / "models", False))
    return folders


def named_networks() -> dict[str, Path]:
    """Folders of timm networks by name, bundled ones first, then the user's; needs no torch."""
    found: dict[str, Path] = {}
    for folder in (NETWORKS, *(place for place, bundled in model_folders() if not bundled)):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            config = path / "config.json"
            if NAME.fullmatch(path.name) and config.is_file():
                with contextlib.suppress(BadInput):
                    if "architecture" in read_json(config):
                        found.setdefault(path.name, path)
    return found


def list_models() -> list[ModelInfo]:
    """Every model that can be loaded by name, bundled ones first; needs no torch.

    In the user's folder that is every format that `load_reconstructor` reads, by the name of its
    file or folder; then the runs whose objective fills in pixels, as `run:ID`, the newest first,
    each with its newest checkpoint. Only headers are read. What cannot be used is left out and told
    by `broken_cards`.
    """
    return list(_survey()[0].values())


def own_networks() -> dict[str, Path]:
    """Bundled classifiers, and the user's networks that cannot reconstruct: of timm, encoders.

    By name, with what loads them; whether they can be loaded shows when they are.
    """
    known = {info.name for info in list_models()}
    found = named_networks()
    for folder, _ in model_folders():
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            name = path.name if path.is_dir() else path.stem
            weights = path.suffix in SUFFIXES and not path.with_suffix(".json").exists()
            if (weights or (path / "config.json").is_file()) and NAME.fullmatch(name):
                found.setdefault(name, path)
    return {name: path for name, path in found.items() if name not in known}


def broken_cards() -> list[str]:
    """One sentence for each model that `list_models` leaves out: what it lacks."""
    return _survey()[1]


def _survey() -> tuple[dict[str, ModelInfo], list[str]]:
    found: dict[str, ModelInfo] = {}
    broken: list[str] = []
    for folder, bundled in model_folders():
        for place, name, stamp in _candidates(folder):
            known = _known(place, name, bundled, stamp)
            if isinstance(known, str):
                broken.append(known)
            elif name in found:
                broken.append(
                    f"{place} is called {name} like {found[name].path.name}; rename one of them."
                )
            else:
                found[name] = known
    for known in _trained():
        if isinstance(known, str):
            broken.append(known)
        else:
            found[known.name] = known
    return found, broken


def _trained() -> Iterator[ModelInfo | str]:
    """Models of runs; one that has no checkpoint yet is passed over."""
    try:
        with os.scandir(home() / "runs") as listing:
            runs = [entry.path for entry in listing if entry.name[0].isalnum()]
    except (OSError, BadInput):
        return
    for run in sorted(runs, key=_begun, reverse=True):
        with contextlib.suppress(OSError):
            # Every new checkpoint changes its folder's time; the card is there before the first.
            stamp = Path(run, RUN_WEIGHTS).stat()
            known = _known_run(run, ((stamp.st_mtime_ns, stamp.st_ino),))
            if known is not None:
                yield known


def _begun(run: str) -> str:
    found = re.search(r"\d{8}-\d{6}-[^/]*$", run)
    return found.group() if found else ""


def newest_weights(run: Path) -> Path | None:
    """The newest checkpoint of a run's folder."""
    found = [p for p in (run / RUN_WEIGHTS).glob("step-*.safetensors") if p.stem[5:].isdecimal()]
    return max(found, key=lambda path: int(path.stem[5:]), default=None)


@lru_cache(maxsize=4096)
def _known_run(place: str, stamp: Stamp) -> ModelInfo | str | None:
    """The model of a run as it stands, the sentence that tells what it lacks, or None."""
    run = Path(place)
    weights = newest_weights(run)
    if weights is None or not (run / RUN_CARD).is_file():
        return None
    try:
        card = read_card(run / RUN_CARD)
    except BadInput as error:
        return str(error)
    shape, step = card["shape"], int(weights.stem[5:])
    return ModelInfo(
        name=f"{RUN}{run.name}",
        title=f"run {str(card.get('title') or run.name)[:60]}, step {step} ({run.name[-8:]})",
        path=run,
        weights=weights,
        rows=shape["rows"],
        cols=shape["cols"],
        patch=shape["patch"],
        norm_pix=card["norm_pix"],
        sha256="",
        bundled=False,
        origin="run of ours",
    )


def _candidates(folder: Path) -> Iterator[tuple[str, str, Stamp]]:
    """Paths, names and stamps of what could be a model: cards, weights without one, folders.

    A page asks several times a picture, so that this walks the folder with few calls.
    """
    try:
        with os.scandir(folder) as listing:
            entries = {entry.name: entry for entry in listing if not entry.name.startswith(".")}
    except OSError:
        return
    for file, entry in sorted(entries.items()):
        stem, _, ending = file.rpartition(".")
        with contextlib.suppress(OSError):
            if entry.is_dir():
                yield entry.path, file, _stamps(entry.path)
            elif f".{ending}" in ENDINGS and not (
                ending == "safetensors" and f"{stem}.json" in entries
            ):
                stat = entry.stat()
                yield entry.path, stem, ((stat.st_mtime_ns, stat.st_size),)


def _stamps(folder: str) -> Stamp:
    """Times and sizes of the files that tell about a model in a folder."""
    stamps: list[tuple[int, int]] = []
    for name in ("config.json", "preset.json", "state.pt", *HF_WEIGHTS):
        with contextlib.suppress(OSError):
            stat = Path(folder, name).stat()
            stamps.append((stat.st_mtime_ns, stat.st_size))
    return tuple(stamps)


@lru_cache(maxsize=256)
def _known(place: str, name: str, bundled: bool, stamp: Stamp) -> ModelInfo | str:
    """The model there, or the sentence that tells what it lacks; `stamp` keeps the cache honest."""
    path = Path(place)
    try:
        if not NAME.fullmatch(name):
            raise BadInput(
                f"{path} has a name that no link can hold; rename it with letters, digits, "
                "hyphens and underscores."
            )
        if path.suffix == ".json" and not path.is_dir():
            return _carded(path, bundled)
        return _described(path, name, bundled, describe(path))
    except BadInput as error:
        return str(error)
    except OSError as error:
        return f"{path} cannot be read ({error.strerror}); check who may read it."


def _carded(path: Path, bundled: bool) -> ModelInfo:
    card = read_card(path)
    shape = card["shape"]
    weights = path.with_suffix(".safetensors")
    return ModelInfo(
        name=path.stem,
        title=str(card.get("title") or path.stem)[:200],
        path=weights,
        weights=weights,
        rows=shape["rows"],
        cols=shape["cols"],
        patch=shape["patch"],
        norm_pix=card["norm_pix"],
        sha256=card["sha256"],
        bundled=bundled,
    )


def _described(path: Path, name: str, bundled: bool, header: Header) -> ModelInfo:
    return ModelInfo(
        name=name,
        title=f"{name} ({header.origin})",
        path=path,
        weights=header.weights,
        rows=header.rows,
        cols=header.cols,
        patch=header.patch,
        norm_pix=header.norm_pix,
        sha256="",
        bundled=bundled,
        origin=header.origin,
    )


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
    if card.get("decoder") == TOKENS:
        counts.pop("decoder")
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
