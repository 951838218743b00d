"""Score maps of the user's own: npy arrays and grey pngs, read with care, kept by content.

A kept map lies under WORKBENCH_HOME/maps as an npy of float32. Its id is a hash of these bytes: a
recipe that names it means the same map for ever, and a recipe can name nothing but such an id.
"""

import contextlib
import hashlib
import io
import json
import os
import re
import secrets
import time
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from workbench.data.home import home
from workbench.errors import BadInput, shown

ID = re.compile(r"map-[0-9a-f]{32}", re.ASCII)
SIDE_LIMIT = 4096
BYTE_LIMIT = 1 << 27
KEEP_DAYS = 90
QUOTA_BYTES = 1 << 28
TOP = 65_535
NOTE = "workbench-map"

Values = NDArray[np.float32]


def read_map(path: Path) -> Values:
    """Read a map, float32 [h, w].

    An npy holds whole or floating numbers or bools; a grey png is read as 0 (black) to 1 (white),
    or in the range that `write_map` noted in it.

    Raises:
        BadInput: another ending, another shape, numbers that are none, or no whole file.
    """
    readers = {".npy": _read_npy, ".png": _read_png}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise BadInput(
            f"{shown(path.name)} has no known ending; score maps are .npy or grey .png files."
        )
    try:
        if not path.is_file() or path.stat().st_size > BYTE_LIMIT:
            raise BadInput(
                f"There is no file {shown(path.name)} of at most {BYTE_LIMIT >> 20} MB; check it."
            )
        values = reader(path.read_bytes())
    except (OSError, ValueError, EOFError, SyntaxError, MemoryError) as error:
        if isinstance(error, BadInput):
            raise BadInput(f"{shown(path.name)}: {error}") from None
        raise BadInput(f"{shown(path.name)} is no whole map file; save it again.") from None
    return checked(values, shown(path.name))


def checked(values: NDArray[Any], name: str) -> Values:
    """Return a map as float32 [h, w]; BadInput for anything that is none."""
    if values.ndim != 2 or 0 in values.shape or max(values.shape) > SIDE_LIMIT:
        raise BadInput(
            f"{name} has the shape {values.shape}, but a map is [rows, columns] of at most "
            f"{SIDE_LIMIT} each; cut it to one plane."
        )
    if values.dtype.kind not in "fiub":
        raise BadInput(f"{name} holds {values.dtype}, but a map holds numbers; convert it.")
    found = values.astype(np.float32)
    if not np.isfinite(found).all():
        raise BadInput(f"{name} holds values that are no numbers; replace them first.")
    return found


def write_map(path: Path, values: NDArray[Any]) -> Path:
    """Write a map [h, w] as .npy (exact) or as a 16-bit grey .png from its lowest to its highest.

    Raises:
        BadInput: another ending, or a place that cannot be written.
    """
    values = checked(values, "the map")
    if path.suffix.lower() not in (".npy", ".png"):
        raise BadInput(f"{shown(path.name)} has no known ending; write a map as .npy or .png.")
    raw = _npy(values) if path.suffix.lower() == ".npy" else _png(values)
    try:
        path.write_bytes(raw)
    except OSError as error:
        raise BadInput(
            f"{shown(path.name)} cannot be written ({error.strerror}); choose another place."
        ) from None
    return path


def store(values: NDArray[Any], name: str = "the map") -> str:
    """Keep a map and return its id; the same numbers have the same id.

    Maps that no one asked for within 90 days are deleted.

    Raises:
        BadInput: no map, or all maps together would exceed 256 MB, or the disk refuses.
    """
    raw = _npy(checked(values, name))
    folder = _folder()
    kept = _prune(folder)
    target = folder / f"map-{hashlib.sha256(raw).hexdigest()[:32]}"
    if sum(kept.values()) - kept.get(target.name, 0) + len(raw) > QUOTA_BYTES:
        raise BadInput(
            f"{name} has {len(raw) >> 10} kB, but maps already fill {sum(kept.values()) >> 20} of "
            f"{QUOTA_BYTES >> 20} MB; delete some in {folder}."
        )
    part = folder / f".part-{secrets.token_hex(16)}"
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(raw)
        part.replace(target)
    except OSError as error:
        raise BadInput(
            f"{name} could not be kept ({error.strerror}); make room or set WORKBENCH_HOME."
        ) from None
    finally:
        part.unlink(missing_ok=True)
    return target.name


def load(name: str) -> Values:
    """Return a kept map, float32 [h, w].

    Raises:
        BadInput: not an id, or not there (any more).
    """
    if ID.fullmatch(name) is None:
        raise BadInput(f"{shown(name)} is no kept map; its id is 'map-' and 32 hexadecimal digits.")
    path = _folder() / name
    try:
        if path.is_symlink():
            raise OSError
        raw = path.read_bytes()
        with contextlib.suppress(OSError):
            os.utime(path)
        return checked(_read_npy(raw), name)
    except (OSError, ValueError, EOFError):
        raise BadInput(
            f"There is no map {name} on this machine; give its file again with --map NAME=FILE."
        ) from None


def _folder() -> Path:
    path = home() / "maps"
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def _prune(folder: Path) -> dict[str, int]:
    """Delete what nobody asked for; returns the sizes of what stays."""
    kept: dict[str, int] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                state = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if ID.fullmatch(entry.name) and time.time() - state.st_mtime > KEEP_DAYS * 86_400:
                Path(entry.path).unlink(missing_ok=True)
            elif ID.fullmatch(entry.name):
                kept[entry.name] = state.st_size
    return kept


def _npy(values: Values) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(values), allow_pickle=False)
    return buffer.getvalue()


def _png(values: Values) -> bytes:
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    low, high = float(values.min()), float(values.max())
    scaled = (values.astype(np.float64) - low) / ((high - low) or 1.0)
    info = PngInfo()
    info.add_text(NOTE, json.dumps({"low": low, "high": high}))
    buffer = io.BytesIO()
    levels = np.round(scaled * TOP).astype(np.uint16)
    Image.fromarray(levels).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def _read_npy(raw: bytes) -> NDArray[Any]:
    """Read one plane after checking type and size in its header: no pickles, no bombs."""
    file: IO[bytes] = io.BytesIO(raw)
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0
    shape, fortran, dtype = (
        read if version == (1, 0) else np.lib.format.read_array_header_2_0
    )(file, max_header_size=4096)  # fmt: skip
    if dtype.kind not in "fiub" or len(shape) != 2 or max(shape) > SIDE_LIMIT or 0 in shape:
        raise BadInput(
            f"it holds {dtype} of shape {shape}, but a map is [rows, columns] of numbers, at most "
            f"{SIDE_LIMIT} each; save one plane."
        )
    values = np.frombuffer(file.read(shape[0] * shape[1] * dtype.itemsize), dtype)
    return values.reshape(shape, order="F" if fortran else "C")


def _read_png(raw: bytes) -> NDArray[Any]:
    from PIL import Image

    width, height = (int.from_bytes(raw[at : at + 4], "big") for at in (16, 20))
    if raw[:8] != b"\x89PNG\r\n\x1a\n" or max(width, height) > SIDE_LIMIT:
        raise BadInput(f"it is no PNG of at most {SIDE_LIMIT} px a side; save it as grey PNG.")
    with Image.open(io.BytesIO(raw), formats=["PNG"]) as picture:
        deep = picture.mode.startswith("I")
        levels = np.asarray(picture if deep else picture.convert("L"), np.float64)
        note: object = picture.info.get(NOTE)
    shares = levels / (TOP if deep else 255)
    if not isinstance(note, str):
        return shares
    ends = json.loads(note)
    low, high = float(ends["low"]), float(ends["high"])
    return low + shares * (high - low)
