"""Load a model by name or path, whatever wrote it."""

import contextlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from workbench.errors import BadInput, nearest, shown
from workbench.models.catalog import RUN, list_models
from workbench.models.checkpoint import (
    Checkpoint,
    is_trained,
    read_checkpoint,
    read_run,
    read_trained,
)
from workbench.models.facebook import from_official, is_official
from workbench.models.huggingface import encoder_from_folder, from_folder
from workbench.models.patches import CLIP_MEAN, CLIP_STD, IMAGENET_MEAN, IMAGENET_STD
from workbench.models.positions import Stretch
from workbench.models.precision import bf16_pays
from workbench.models.reconstruction import Reconstructor, Statistics
from workbench.models.safe_load import SUFFIXES, read_weights
from workbench.models.timm_encoder import vit_from_timm
from workbench.models.transformer import ViT

STILL = "its features and attention maps can still be used through workbench.models.load_encoder"


def load_reconstructor(
    name_or_path: str | Path = "default",
    device: str = "auto",
    precision: str = "auto",
    *,
    norm_pix: bool | None = None,
    statistics: Statistics = "visible",
    heads: int | None = None,
    decoder_heads: int | None = None,
    positions: Stretch | None = None,
) -> Reconstructor:
    """Load a model that fills in hidden patches.

    Args:
        name_or_path: a name from `list_models`, or a path (anything with a separator): one of our
            checkpoints, a facebookresearch/mae .pth with decoder, the folder of a transformers
            `ViTMAEForPreTraining`, or the folder of a run, which `run:ID` names where it is in
            WORKBENCH_HOME (its newest checkpoint is read). Nothing is downloaded.
        device: "auto" (CUDA where there is one), "cpu", "cuda", "cuda:1", "mps".
        precision: "fp32" is exact, "bf16" faster where the machine has it, "auto" measures.
        norm_pix: whether the model predicts patches normalised one by one, if the file is silent
            or wrong.
        statistics: where the brightness and contrast of hidden patches come from when `norm_pix`
            has taken them away: "visible" estimates them from visible patches; "true" reads them
            from the hidden ones, which leaks, and the notes say so.
        heads: attention heads of a .pth of no official size.
        decoder_heads: the same of its decoder.
        positions: how a decoder's positions move to other grids, "plane" or "line"; by default as
            the format's own library does.

    Raises:
        BadInput: no such model, a damaged, malicious or foreign file, or no decoder: one sentence.
    """
    if statistics not in ("visible", "true"):
        raise BadInput(f"statistics is {shown(statistics)}, wanted visible or true; take visible.")
    if positions not in (None, "plane", "line"):
        raise BadInput(f"positions is {shown(positions)}, wanted plane or line; take plane.")
    place = choose_device(device)
    chosen = choose_precision(precision, place)
    found = _read(locate(name_or_path), heads, decoder_heads, positions)
    if norm_pix is not None:
        found = replace(found, norm_pix=norm_pix)
    made = Reconstructor(found, device=place, precision=chosen, statistics=statistics)
    made.reread = partial(_read, locate(name_or_path), heads, decoder_heads, positions)
    return made


def load_encoder(
    path: str | Path, *, heads: int | None = None, grid: tuple[int, int] | None = None
) -> ViT:
    """Load the encoder alone, from any file `load_reconstructor` reads or a plain timm ViT's.

    Args:
        path: name or path as there.
        heads: attention heads where neither the file nor timm's usual sizes tell.
        grid: patch rows and cols where positions are no square.

    Raises:
        BadInput: as there.
    """
    place = locate(path)
    if place.is_dir() and (place / "config.json").is_file() and not is_trained(place):
        return encoder_from_folder(place)
    if place.is_dir() or place.with_suffix(".json").is_file():
        return _read(place, heads, None, None).model.encoder
    state, around = read_weights(place)
    if is_official(state):
        return from_official(place, state, around.get("args"), heads, 1).model.encoder
    return vit_from_timm(state, heads, grid=grid, origin=place)


def encoder_and_colours(
    path: str | Path,
) -> tuple[ViT, tuple[float, ...], tuple[float, ...]]:
    """Load the encoder alone, with the mean and spread that its pictures are normalised by.

    Where the file is silent these are ImageNet's, and those of CLIP for encoders built like CLIP's
    (a norm before the first block). Raises as `load_encoder`.
    """
    place = locate(path)
    carded = place.is_dir() or _has_card(place) or place.suffix == ".json"
    with contextlib.suppress(BadInput):
        if carded:
            found = _read(place, None, None, None)
            return found.model.encoder, found.mean, found.std
    encoder = load_encoder(path)
    if encoder.shape.pre_norm:
        return encoder, CLIP_MEAN, CLIP_STD
    return encoder, IMAGENET_MEAN, IMAGENET_STD


def _read(
    path: Path, heads: int | None, decoder_heads: int | None, positions: Stretch | None
) -> Checkpoint:
    if path.is_dir():
        if is_trained(path):
            return read_trained(path)
        if (path / "config.json").is_file():
            return from_folder(path, positions)
        if (path / "preset.json").is_file():
            return read_run(path)
        raise BadInput(
            f"the folder {path} has no config.json and no preset.json, wanted a "
            "ViTMAEForPreTraining or a pretraining run; give the weights file itself."
        )
    if path.suffix == ".json" or _has_card(path):
        return read_checkpoint(path)
    state, around = read_weights(path)
    if is_official(state):
        return from_official(path, state, around.get("args"), heads, decoder_heads)
    raise _no_reconstructor(path, state, heads)


def _has_card(path: Path) -> bool:
    return path.suffix == ".safetensors" and path.with_suffix(".json").is_file()


def _no_reconstructor(path: Path, state: Mapping[str, Tensor], heads: int | None) -> BadInput:
    """Say what a file without a decoder of a known kind is."""
    if any(name.startswith("encoder.patch_embed") for name in state):
        wanted = "the folder of the run" if path.suffix != ".safetensors" else "its card"
        return BadInput(
            f"{path} holds a model of ours without a description, wanted {wanted}; give the "
            f"folder that holds preset.json, or put {path.stem}.json beside the weights."
        )
    if any("embeddings.patch_embeddings" in name for name in state):
        return BadInput(
            f"{path} holds weights with transformers' names, wanted its folder with config.json "
            "beside them; give the folder."
        )
    try:
        vit = vit_from_timm(state, heads, origin=path)
    except BadInput as error:
        return error
    s = vit.shape
    return BadInput(
        f"{path} is an encoder ({s.depth} blocks of width {s.dim}, {s.rows} x {s.cols} patches of "
        f"{s.patch} px) without a decoder, so it cannot reconstruct; {STILL}."
    )


def locate(name_or_path: str | Path, others: Iterable[str] = ()) -> Path:
    """The file or folder meant: a path if it has a separator or a weights file's ending.

    `others` are names that the caller knows beside those of models that fill in pixels.

    Raises:
        BadInput: an address, a path to nothing, or a name that is not known.
    """
    text = str(name_or_path)
    if re.match(r"[A-Za-z][A-Za-z0-9+.\-]+:(?![\\])", text) and not text.startswith(RUN):
        raise BadInput(
            f"{shown(text)} is an address, wanted a name or a path; nothing is downloaded here, so "
            "fetch the files first and give their folder."
        )
    if isinstance(name_or_path, Path) or re.search(r"[/\\]", text) or text.endswith(SUFFIXES):
        path = Path(name_or_path)
        with contextlib.suppress(OSError):  # a name too long, or a folder closed to this user
            if path.is_file() or path.is_dir():
                return path
        raise BadInput(
            f"there is no file or folder {shown(text, 200)}; check the path, or fetch a model from "
            "a hub first: nothing is downloaded here."
        )
    known = {info.name: info.path for info in list_models()}
    if text in known:
        return known[text]
    if text.startswith(RUN):
        raise BadInput(
            f"{shown(text)} is no run with a model that fills in pixels and a checkpoint; see "
            "`python -m workbench models` for those that are."
        )
    if _is_timm_name(text):
        raise BadInput(
            f"{text} is the name of a timm encoder, which has no decoder, so it cannot "
            f"reconstruct; {STILL} once its weights are in a file."
        )
    names = [name for name in (*known, *others) if not name.startswith(RUN)]
    count = sum(name.startswith(RUN) for name in known)
    runs = f", {RUN}ID of {count} runs" if count else ""
    here = re.fullmatch(r"\w[\w.\- ]{,99}", text) and Path(text).exists()
    raise BadInput(
        f"no model is called {shown(text)}; known models: "
        f"{', '.join(names) or 'none'}{runs}{nearest(text, names)}; a path needs a "
        f"separator, such as ./{text if here else 'NAME'}."
    )


def _is_timm_name(name: str) -> bool:
    """Whether timm has such a model; asked last, for timm is slow to import."""
    if not re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+)?", name) or "_" not in name:
        return False
    import timm

    listed: Any = timm
    return bool(listed.is_model(name))


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
