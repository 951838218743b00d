"""Masks in files, written whole and read with suspicion: npz, png, json, COCO RLE, annotations."""

import contextlib
import json
import zipfile
from collections.abc import Callable, Iterable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput, shown
from workbench.masks import annotations, rle
from workbench.masks.lattice import Grid

Bools = NDArray[np.bool_]
Cover = Callable[[Bools, Grid], Bools]
Fit = Literal["crop", "letterbox", "resize"]
SCHEMA = 1
BYTE_LIMIT = 1 << 27
CELL_LIMIT = 1 << 26
PICTURE_LIMIT = 1 << 24
ENDINGS = (".npz", ".png", ".rle.json", ".json")
READ_ONLY = (".xml",)
FAULTS = (
    OSError, ValueError, KeyError, TypeError, EOFError, SyntaxError, RecursionError,
    zipfile.BadZipFile, NotImplementedError, RuntimeError, MemoryError, AttributeError,
)  # fmt: skip


class Stored(NamedTuple):
    """What a file held."""

    hidden: Bools
    grid: Grid
    targets: Bools | None


def cells_to_bits(cells: Bools) -> str:
    """Return "0101...", row-major, 1 = hidden."""
    return (cells.ravel().view(np.uint8) + 48).tobytes().decode("ascii")


def bits_to_cells(bits: Any, grid: Grid) -> Bools:
    """Return bool [*grid.shape] of a text of 0 and 1; BadInput for anything else."""
    if not isinstance(bits, str) or len(bits) != grid.size or set(bits) - {"0", "1"}:
        length = len(bits) if isinstance(bits, str) else 0
        raise BadInput(
            f"The mask text {shown(bits)} has {length} characters, but the grid {grid.shape} needs "
            f"{grid.size} of 0 and 1; draw the mask on this grid."
        )
    flat = np.frombuffer(bits.encode("ascii"), np.uint8) == ord("1")
    return flat.reshape(grid.shape)


def enlarged(cells: Bools, patch: int) -> Bools:
    """Repeat the last two axes `patch` times."""
    if patch == 1:
        return cells
    wide = np.repeat(cells, patch, axis=-1)
    return np.repeat(wide, patch, axis=-2)


def shares(
    dark: Bools, rows: int, cols: int, box: tuple[float, float, float, float] | None = None
) -> NDArray[np.float64]:
    """Return the set share of each patch's area, float64 [rows, cols], of a picture of any size.

    Pixels that lie on the border of two patches count in both by the area of their parts. `box`
    (top, left, bottom, right) is the part that the grid covers, in pixels; the whole without it.
    """
    top, left, bottom, right = box or (0, 0, *dark.shape)
    edges = top + np.arange(rows + 1) * ((bottom - top) / rows)
    bands = [_band(dark, *ends) for ends in pairwise(np.clip(edges, 0, dark.shape[0]))]
    total = np.pad(np.cumsum(np.stack(bands), axis=1), ((0, 0), (1, 0)))
    at = left + np.arange(cols + 1) * ((right - left) / cols)
    whole = np.arange(dark.shape[1] + 1)
    sums = np.stack([np.interp(at, whole, line) for line in total])
    return np.diff(sums, axis=1) * (rows * cols / ((bottom - top) * (right - left)))


def _band(dark: Bools, top: float, bottom: float) -> NDArray[np.float64]:
    """Sum the lines from `top` to `bottom`, broken lines by their part, float64 [width]."""
    first, last = int(np.floor(top)), int(np.ceil(bottom))
    if first >= last:  # beside the picture
        return np.zeros(dark.shape[1])
    line = np.count_nonzero(dark[first:last], axis=0).astype(np.float64)
    line -= (top - first) * dark[first]
    return line - (last - bottom) * dark[last - 1]


def _ending(path: Path, known: tuple[str, ...] = ENDINGS) -> str:
    for ending in known:
        if path.name.lower().endswith(ending):
            return ending
    raise BadInput(f"{path.name!r} has no known ending; masks are {', '.join(known)}.")


def write(path: Path, hidden: Bools, grid: Grid, targets: Bools | None, pixels: bool) -> Path:
    """Write a mask by the path's ending; the file appears whole or not at all."""
    ending = _ending(path)
    scale = grid.patch**2 if pixels else 1
    total = (hidden.size + (0 if targets is None else targets.size)) * scale
    limit = PICTURE_LIMIT if ending == ".png" else CELL_LIMIT
    if total > limit:
        raise BadInput(
            f"{path.name!r} would hold {total} cells, but a {ending} file holds at most {limit}; "
            "save a smaller batch, or one cell a patch."
        )
    partial = path.with_name(path.name + ".partial")
    count, parts = len(hidden), 0 if targets is None else targets.shape[1]
    header = {"schema": SCHEMA, "grid": grid.record(), "count": count, "parts": parts}
    try:
        with partial.open("wb") as file:
            if ending == ".npz":
                arrays: dict[str, Any] = {"hidden": hidden, "header": np.array(json.dumps(header))}
                if targets is not None:
                    arrays["targets"] = targets
                np.savez_compressed(file, allow_pickle=False, **arrays)
            elif ending == ".json":
                _write_json(file, header, hidden, targets, cells_to_bits)
            else:
                patch = grid.patch if pixels else 1
                big = None if targets is None else enlarged(targets, patch)
                _write_flat(file, ending, {**header, "pixels": patch}, enlarged(hidden, patch), big)
        partial.replace(path)
    except OSError as error:
        raise BadInput(
            f"{shown(path.name)} cannot be written to {shown(str(path.parent))} "
            f"({error.strerror}); choose a folder that is there and a short name."
        ) from None
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()
    return path


def _write_flat(
    file: IO[bytes], ending: str, header: dict[str, Any], hidden: Bools, targets: Bools | None
) -> None:
    if ending == ".rle.json":
        _write_json(file, header, hidden, targets, lambda cells: rle.encode(_plane(cells)))
        return
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    stacked = [_plane(hidden)] if targets is None else [_plane(hidden), _plane(targets)]
    visible = (~np.concatenate(stacked)).view(np.uint8) * np.uint8(255)
    info = PngInfo()
    info.add_text("workbench", json.dumps(header))
    Image.fromarray(visible).save(file, format="PNG", pnginfo=info)


def _plane(cells: Bools) -> Bools:
    return cells.reshape(-1, cells.shape[-1])


def _write_json(
    file: IO[bytes], header: dict[str, Any], hidden: Bools, targets: Bools | None, form: Any
) -> None:
    record = {**header, "hidden": [form(cells) for cells in hidden]}
    if targets is not None:
        record["targets"] = [[form(cells) for cells in row] for row in targets]
    file.write(json.dumps(record).encode())


def read(path: Path, grid: Grid | None, threshold: float, fit: Fit = "resize") -> Stored:
    """Read a mask by the path's ending; every fault is a BadInput.

    `fit` says how a foreign plane lies on the grid, see `workbench.masks.imports.read`.
    """
    ending = _ending(path, (*ENDINGS, *READ_ONLY))
    if not 0 < threshold <= 1:
        raise BadInput(f"threshold is {threshold!r}, but must be above 0 and at most 1; take 0.5.")
    _sized(path)
    readers = {".npz": _read_npz, ".png": _read_png, ".xml": _read_xml}
    try:
        stored = readers.get(ending, _read_json)(
            path, grid, partial(covered, threshold=threshold, fit=fit)
        )
    except BadInput as error:
        raise BadInput(f"{path.name!r}: {error}") from None
    except FAULTS:
        raise BadInput(f"{path.name!r} is no whole {ending} mask file; save it again.") from None
    if grid is not None and grid.shape != stored.grid.shape:
        raise BadInput(
            f"{path.name!r} holds masks on the grid {stored.grid.shape}, but {grid.shape} is "
            "wanted; draw the mask on that grid."
        )
    return stored


def _sized(path: Path) -> None:
    """Refuse a file that is missing or too big before a byte of it is read."""
    try:
        size = path.stat().st_size if path.is_file() else None
    except OSError:  # a name that no file can have, or a folder closed to this user
        size = None
    if size is None:
        raise BadInput(f"There is no file {shown(path.name)}; check the path.")
    if size > BYTE_LIMIT:
        raise BadInput(f"{path.name!r} has {size} bytes, at most {BYTE_LIMIT} are read; split it.")


def content(path: Path) -> bytes:
    """Return the bytes of a file that is there and not too big."""
    _sized(path)
    return path.read_bytes()


def _header(record: Any) -> tuple[Grid, int, int]:
    """Return grid, mask count and targets a mask of a file's own header."""
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise BadInput(f"its header {shown(record)} is not of schema {SCHEMA}; save it again.")
    grid = Grid(**record["grid"])
    count, parts = record["count"], record["parts"]
    good = type(count) is int and type(parts) is int and count > 0 and parts >= 0
    if not good or count * grid.size * (1 + parts) > CELL_LIMIT:
        raise BadInput(f"its header names {shown(count)} masks, more than are read; split it.")
    return grid, count, parts


def _read_npz(path: Path, grid: Grid | None, cover: Cover) -> Stored:
    with zipfile.ZipFile(path) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
        if "hidden.npy" not in sizes:
            raise BadInput("it has no array called hidden; save masks with Mask.save.")
        hidden = _read_cells(archive, "hidden.npy")
        targets = _read_cells(archive, "targets.npy") if "targets.npy" in sizes else None
        found = grid
        if "header.npy" in sizes:
            found = _header(json.loads(str(_read_array(archive, "header.npy", "U"))))[0]
    if found is None:
        raise BadInput("it does not name its grid; give grid=Grid(rows, cols).")
    shape = found.shape
    fits = hidden.shape[1:] == shape and len(hidden) > 0
    if not fits or (targets is not None and targets.shape != (*targets.shape[:2], *shape)):
        raise BadInput(f"its masks have the shape {hidden.shape[1:]}, but the grid is {shape}.")
    return Stored(hidden, found, targets)


def _read_cells(archive: zipfile.ZipFile, name: str) -> Bools:
    return cast(Bools, _read_array(archive, name, "b"))


def _read_array(archive: zipfile.ZipFile, name: str, kind: str) -> NDArray[Any]:
    """Read one array after checking type and size in its header: no pickles, no bombs."""
    with archive.open(name) as file:
        version = np.lib.format.read_magic(file)
        reader = np.lib.format.read_array_header_1_0
        reader = reader if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = reader(file, max_header_size=4096)
        cells = int(np.prod([int(side) for side in shape], dtype=object))
        if dtype.kind != kind or fortran or cells > CELL_LIMIT or dtype.itemsize > 65_536:
            plain = {"b": "bool", "U": "text"}[kind]
            raise BadInput(
                f"{name} is {dtype} of shape {shape}, but must be plain {plain} of at most "
                f"{CELL_LIMIT} cells; save masks with Mask.save."
            )
        data = file.read(cells * dtype.itemsize)
    values = np.frombuffer(data, np.uint8 if kind == "b" else dtype)
    if kind == "b" and values.size and values.max() > 1:
        raise BadInput(f"{name} holds bytes other than 0 and 1; save it again.")
    return (values.view(np.bool_) if kind == "b" else values).reshape(shape)


def _read_xml(path: Path, grid: Grid | None, cover: Cover) -> Stored:
    return _foreign(annotations.planes(annotations.cvat(path.read_bytes())), grid, cover)


def _read_json(path: Path, grid: Grid | None, cover: Cover) -> Stored:
    record = json.loads(path.read_bytes())
    if annotations.is_labelme(record):
        return _foreign(annotations.planes([annotations.labelme(record)]), grid, cover)
    if not isinstance(record, dict) or "schema" not in record:
        many = record if isinstance(record, list) else [record]
        _budget(many)
        return _foreign([rle.decode(one, CELL_LIMIT) for one in many], grid, cover)
    found, count, parts = _header(record)
    patch, records = record.get("pixels", 1), record["hidden"]
    blocks = [one for row in record["targets"] for one in row] if parts else []
    if len(records) != count or len(blocks) != count * parts:
        raise BadInput(
            f"it holds {len(records)} masks and {len(blocks)} targets, but its header says "
            f"{count} and {count * parts}; save it again."
        )
    _budget(records + blocks)
    cells = np.stack([_cells(one, found, patch) for one in records + blocks])
    targets = cells[count:].reshape(count, parts, *found.shape) if parts else None
    return Stored(cells[:count], found, targets)


def _budget(records: list[Any]) -> None:
    """Refuse more cells than memory should hold, before the first run is unrolled."""
    sizes = [one.get("size", [0]) for one in records if isinstance(one, dict)]
    total = sum(int(np.prod(np.array(size, dtype=object))) for size in sizes)
    if total > CELL_LIMIT:
        raise BadInput(
            f"its RLEs unroll to {total} cells, at most {CELL_LIMIT} are read; split it."
        )


def _cells(record: Any, grid: Grid, patch: int) -> Bools:
    """Return one mask of our own json: a text of bits, or an RLE at patch or pixel size."""
    if isinstance(record, str):
        return bits_to_cells(record, grid)
    plane = rle.decode(record, CELL_LIMIT)
    wanted = (grid.size // grid.cols * patch, grid.cols * patch)
    if plane.shape != wanted:
        raise BadInput(f"its RLE is of size {plane.shape}, but the header says {wanted}.")
    return plane[::patch, ::patch].reshape(grid.shape).copy()


def _read_png(path: Path, grid: Grid | None, cover: Cover) -> Stored:
    from PIL import Image

    with path.open("rb") as file:
        start = file.read(24)
    width, height = (int.from_bytes(start[at : at + 4], "big") for at in (16, 20))
    if start[:8] != b"\x89PNG\r\n\x1a\n" or width * height == 0:
        raise BadInput("it is no PNG picture; save it as PNG.")
    if width * height > PICTURE_LIMIT:
        raise BadInput(f"it has {width} x {height} pixels, at most {PICTURE_LIMIT} are read.")
    with Image.open(path, formats=["PNG"]) as picture:
        note = picture.info.get("workbench")
        if picture.mode in ("LA", "RGBA", "PA") or "transparency" in picture.info:
            clear = picture.convert("RGBA")
            picture = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)
        deep = picture.mode.startswith("I")
        levels = np.asarray(picture if deep else picture.convert("L"))
    dark = levels < (1 << 15 if deep else 128)
    header = json.loads(note) if isinstance(note, str) else None
    if not isinstance(header, dict) or "pixels" not in header:
        return _foreign([dark], grid, cover)
    found, count, parts = _header(header)
    patch, lines = header["pixels"], found.size // found.cols
    if dark.shape != (count * (1 + parts) * lines * patch, found.cols * patch):
        return _foreign([dark], grid or found, cover)
    cells = dark[::patch, ::patch]
    hidden = cells[: count * lines].reshape(count, *found.shape)
    targets = cells[count * lines :].reshape(count, parts, *found.shape) if parts else None
    return Stored(hidden, found, targets)


def _foreign(planes: Iterable[Bools], grid: Grid | None, cover: Cover) -> Stored:
    """Threshold pictures of any size by the set share of each patch."""
    if grid is None:
        raise BadInput("it does not name its grid; give grid=Grid(rows, cols).")
    if grid.frames is not None:
        raise BadInput("a foreign mask must be one plane; give a grid without frames.")
    cells = [cover(plane, grid) for plane in planes]
    if not cells:
        raise BadInput("it holds no mask; save it again.")
    return Stored(np.stack(cells), grid, None)


def covered(plane: Bools, grid: Grid, threshold: float, fit: Fit = "resize") -> Bools:
    """Return the patches of which at least the share `threshold` is set, bool [rows, cols]."""
    limit = threshold - 1e-9  # the sum of many exact shares may round down
    tall, wide = plane.shape
    box = place(tall, wide, grid.pixels, fit)
    return shares(plane, grid.rows, grid.cols, box) >= limit


def place(
    tall: int, wide: int, size: tuple[int, int], fit: Fit
) -> tuple[float, float, float, float]:
    """Return the part (top, left, bottom, right) of a picture that a grid covers, in its pixels.

    The same arithmetic cuts the photo, so that a mask lies on what it was drawn on.
    """
    height, width = size
    if fit == "crop":
        scale = min(tall / height, wide / width)
        top, left = (tall - height * scale) / 2, (wide - width * scale) / 2
        return top, left, tall - top, wide - left
    if fit == "resize":
        return 0, 0, tall, wide
    scale = min(height / tall, width / wide)
    rows, cols = max(1, round(tall * scale)), max(1, round(wide * scale))
    top, left = (height - rows) // 2, (width - cols) // 2
    down, across = tall / rows, wide / cols
    return -top * down, -left * across, (height - top) * down, (width - left) * across
