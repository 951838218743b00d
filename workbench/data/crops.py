"""Random square crops from a pool of photos, decoded once and kept in memory."""

import csv
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.data.folders import PATH_SHOWN, SUFFIXES
from workbench.data.images import open_image
from workbench.data.samples import held_out, photo
from workbench.errors import BadInput, shown

MEMORY_SHARE = 0.8


@dataclass(frozen=True, kw_only=True)
class PhotoRecord:
    """One line of a manifest: where a photo came from, its licence and its content."""

    file: str
    sha256: str
    licence: str
    source: str


@dataclass(frozen=True)
class PhotoPool:
    """Decoded photos: `pictures` is a list of uint8 [h, w, 3], `records` says what each one is."""

    pictures: list[NDArray[np.uint8]]
    records: list[PhotoRecord]

    def crops(
        self, count: int, size: int, seed: int, step: int, *, smallest: float = 0.3
    ) -> NDArray[np.uint8]:
        """Draw random crops; the same (seed, step) gives the same crops.

        A crop is a square of `smallest` to 1 times the area of the largest centred square, resized
        by pixel area, mirrored half of the time and turned grey once in ten times.

        Args:
            count: crops to draw.
            size: side in pixels.
            seed: seed of the run.
            step: training step.
            smallest: smallest share of area.

        Returns:
            uint8 [count, size, size, 3].
        """
        import cv2

        rng = np.random.Generator(np.random.Philox(key=[seed, step]))
        out = np.empty((count, size, size, 3), np.uint8)
        for i in range(count):
            picture = self.pictures[int(rng.integers(len(self.pictures)))]
            h, w, _ = picture.shape
            side = max(1, round(min(h, w) * float(np.sqrt(rng.uniform(smallest, 1.0)))))
            y, x = int(rng.integers(h - side + 1)), int(rng.integers(w - side + 1))
            mirror, grey = rng.random() < 0.5, rng.random() < 0.1
            crop = picture[y : y + side, x : x + side]
            way = cv2.INTER_AREA if side >= size else cv2.INTER_CUBIC
            crop = cv2.resize(crop, (size, size), interpolation=way)
            if grey:
                crop = np.repeat(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
            out[i] = crop[:, ::-1] if mirror else crop
        return out


def load_pool(
    folders: Sequence[Path | str],
    *,
    longest: int = 1024,
    left_out: Callable[[str], None] | None = None,
) -> PhotoPool:
    """Decode every photo of some folders (recursively) into memory.

    Photos on which every checkpoint is measured (`held_out`) are left out, whatever their name.
    A folder may hold an `index.csv` with the columns `file`, `licence` and `source` (or
    `source_repo`); what it says goes into the manifest, otherwise the licence is "not stated".

    Args:
        folders: folders of PNG, JPEG or WebP files.
        longest: photos are shrunk to this longest side before they are kept.
        left_out: called with a sentence for each photo that cannot be opened or is held out.

    Raises:
        BadInput: a folder is missing or holds no photo that can be used, or all of them need more
            than four fifths of the free memory.
    """
    import psutil

    free = room = int(MEMORY_SHARE * psutil.virtual_memory().available)
    pictures: list[NDArray[np.uint8]] = []
    records: list[PhotoRecord] = []
    for folder in map(Path, folders):
        stated, before = _index(folder), len(records)
        for path in _files(folder):
            name = path.relative_to(folder).as_posix()
            try:
                pixels = open_image(path, name=name, longest=longest).pixels
                _refuse_held_out(name, pixels)
            except BadInput as error:
                if left_out is not None:
                    left_out(str(error))
                continue
            room -= pixels.nbytes
            if room < 0:
                raise BadInput(
                    f"{shown(str(folder), PATH_SHOWN)} fills the {free / 2**30:.1f} GB of memory "
                    f"that are free after {len(pictures) + 1} photos, all of which must fit; name "
                    "a smaller folder"
                )
            pictures.append(pixels)
            records.append(_record(folder, name, stated.get(name, {})))
        if len(records) == before:
            raise BadInput(f"no photo of {folder} can be opened; name a folder of whole photos")
    return PhotoPool(pictures, records)


def _refuse_held_out(name: str, pixels: NDArray[np.uint8]) -> None:
    known = _held_out_contents().get(pixels.shape, {}).get(_content(pixels))
    if known is not None:
        raise BadInput(
            f"{name} is the bundled photo {known}, on which checkpoints are measured; it is left "
            "out of the training."
        )


@lru_cache
def _held_out_contents() -> dict[tuple[int, ...], dict[str, str]]:
    """Names of the held-out photos by their content, by their shape."""
    found: dict[tuple[int, ...], dict[str, str]] = {}
    for info in held_out():
        pixels = photo(info.name)
        found.setdefault(pixels.shape, {})[_content(pixels)] = info.name
    return found


def _content(pixels: NDArray[np.uint8]) -> str:
    return hashlib.sha256(pixels.tobytes()).hexdigest()


def _files(folder: Path) -> list[Path]:
    told = shown(str(folder), PATH_SHOWN)
    if not folder.is_dir():
        raise BadInput(f"{told} is not a folder; name a folder of PNG, JPEG or WebP photos")
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
    if not files:
        raise BadInput(f"{told} holds no PNG, JPEG or WebP file; name a folder of photos")
    return files


def _record(folder: Path, name: str, stated: dict[str, str]) -> PhotoRecord:
    with (folder / name).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return PhotoRecord(
        file=f"{folder.name}/{name}",
        sha256=digest,
        licence=stated.get("licence") or "not stated",
        source=stated.get("source") or stated.get("source_repo") or "not stated",
    )


def write_manifest(records: Sequence[PhotoRecord], path: Path) -> None:
    """Write one CSV line a photo: file, sha256, licence, source."""
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["file", "sha256", "licence", "source"])
        writer.writerows([r.file, r.sha256, r.licence, r.source] for r in records)


def _index(folder: Path) -> dict[str, dict[str, str]]:
    path = folder / "index.csv"
    if not path.is_file():
        return {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return {row["file"]: row for row in csv.DictReader(file)}
    except (OSError, UnicodeDecodeError, csv.Error, KeyError):
        raise BadInput(
            f"{path} is no table in UTF-8 with the columns file, licence and source; mend it or "
            "take it away"
        ) from None
