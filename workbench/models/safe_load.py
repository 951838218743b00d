"""Read weights from files that nobody vouches for: tensors in, never code."""

import argparse
import json
import pickle
import re
import struct
import threading
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from workbench.errors import BadInput, shown
from workbench.models.headers import HEADER_LIMIT, SUFFIXES

BYTES_LIMIT = 16 << 30
_lock = threading.Lock()


def read_weights(path: Path) -> tuple[dict[str, Tensor], Mapping[str, object]]:
    """Read a state dict and what stands beside it in a pickle.

    Safetensors hold no code. Pickles go through `torch.load(weights_only=True)` alone, with
    `argparse.Namespace` (the official MAE files hold one) allowed and nothing else.

    Returns:
        Tensors by name on the CPU (a wrapping `model` or `state_dict` and a leading `module.` are
        taken off), and the wrapping dictionary, empty where there is none.

    Raises:
        BadInput: missing, empty, truncated, too big, not weights, or a pickle that asks for code.
    """
    if path.suffix not in SUFFIXES:
        raise BadInput(
            f"{path} ends in {shown(path.suffix)}, wanted one of {', '.join(SUFFIXES)}; "
            "convert the weights to safetensors."
        )
    try:
        size = path.stat().st_size
        if path.is_file():
            path.open("rb").close()
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}); check the path.") from None
    if not path.is_file() or size == 0:
        what = "is empty" if path.is_file() else "is no file"
        raise BadInput(f"{path} {what}, wanted a file of weights; fetch it again.")
    if size > BYTES_LIMIT:
        raise BadInput(
            f"{path} has {size >> 30} GiB, wanted at most {BYTES_LIMIT >> 30}; "
            "save the model's weights without the optimiser's state."
        )
    if path.suffix == ".safetensors":
        tensors, around = _read_safetensors(path, size), dict[str, object]()
    else:
        tensors, around = _unwrapped(path, _read_pickle(path))
    _check_sizes(path, tensors, size)
    return tensors, around


def _read_safetensors(path: Path, size: int) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    with path.open("rb") as file:
        start = file.read(8)
        if len(start) < 8:
            raise BadInput(f"{path} is truncated: it has {size} bytes in all; fetch it again.")
        length = struct.unpack("<Q", start)[0]
        if length <= min(HEADER_LIMIT, size - 8):
            _check_extent(path, file.read(length), size - 8 - length)
        elif length <= HEADER_LIMIT:
            raise BadInput(
                f"{path} is truncated: its header alone has {length} bytes, the file {size}; "
                "fetch it again."
            )
    try:
        return load_file(path)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"{path} is no safetensors file ({str(error)[:80]}); fetch it again."
        ) from None


def _check_extent(path: Path, header: bytes, held: int) -> None:
    try:
        entries = json.loads(header)
        ends = [v["data_offsets"][1] for k, v in entries.items() if k != "__metadata__"]
        promised = max(ends, default=0)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError):
        raise BadInput(f"{path} is no safetensors file; fetch it again.") from None
    if isinstance(promised, int) and promised > held:
        raise BadInput(
            f"{path} is truncated: it holds {held} bytes of weights, its header promises "
            f"{promised}; fetch it again."
        )


def _read_pickle(path: Path) -> object:
    with path.open("rb") as file:
        start = file.read(4)
    zipped = start == b"PK\x03\x04"
    if zipped:
        _check_zip(path)
    elif start[:1] != b"\x80":
        raise BadInput(
            f"{path} starts with {shown(start)} and is no PyTorch file; wanted weights saved by "
            "torch.save or as safetensors."
        )
    try:
        with (
            _lock,
            warnings.catch_warnings(action="ignore"),  # it doubts old pickle protocols aloud
            torch.serialization.safe_globals([argparse.Namespace]),
        ):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped or None)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL (\S+)", str(error))
        asked = f"it asks for {named.group(1)[:80]}" if named else "it holds more than tensors"
        raise BadInput(
            f"{path} is refused: a pickle can run code and {asked}, wanted tensors alone; "
            "use a safetensors file of these weights."
        ) from None
    except Exception as error:  # a broken file may raise anything from the reader's depth
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BadInput(
            f"{path} cannot be read as PyTorch weights ({said[:80]}); it is truncated or of "
            "another kind, fetch it again or use safetensors."
        ) from None


def _check_zip(path: Path) -> None:
    """Refuse a cut archive, and one whose members unpack to more than the file holds."""
    try:
        with zipfile.ZipFile(path) as archive:
            packed = any(item.compress_type != zipfile.ZIP_STORED for item in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise BadInput(f"{path} is truncated: its archive has no end; fetch it again.") from None
    if packed:
        raise BadInput(
            f"{path} is a compressed archive, wanted one written by torch.save; use safetensors."
        )


def _unwrapped(path: Path, found: object) -> tuple[dict[str, Tensor], Mapping[str, object]]:
    around: Mapping[str, object] = {}
    if isinstance(found, Mapping):
        outer = cast(Mapping[Any, Any], found)
        for key in ("model", "state_dict"):
            if isinstance(outer.get(key), Mapping):
                around, found = outer, outer[key]
                break
    if not isinstance(found, Mapping):
        raise BadInput(
            f"{path} holds a {type(found).__name__}, wanted a dictionary of tensors; "
            "save model.state_dict()."
        )
    pairs = cast(Mapping[Any, Any], found).items()
    tensors = {str(k).removeprefix("module."): v for k, v in pairs if isinstance(v, Tensor)}
    if not tensors:
        raise BadInput(f"{path} holds no tensors, wanted weights; save model.state_dict().")
    return tensors, around


def _check_sizes(path: Path, tensors: dict[str, Tensor], size: int) -> None:
    """Refuse tensors that are not plain numbers, or claim more memory than the file has bytes."""
    claimed = 0
    for name, tensor in tensors.items():
        if tensor.layout != torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
            raise BadInput(
                f"{path}: {shown(name)} is not a plain tensor on the CPU; save dense weights."
            )
        claimed += tensor.numel() * tensor.element_size()
    if claimed > 2 * size:
        raise BadInput(
            f"{path} has {size} bytes but claims {claimed} bytes of weights; it is damaged or "
            "made to fill the memory, use a safetensors file."
        )
