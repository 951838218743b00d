"""Random square crops from a pool of photos, decoded once and kept in memory."""

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from workbench.errors import BadInput

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp"}


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
            side = max(8, round(min(h, w) * float(np.sqrt(rng.uniform(smallest, 1.0)))))
            y, x = int(rng.integers(h - side + 1)), int(rng.integers(w - side + 1))
            mirror, grey = rng.random() < 0.5, rng.random() < 0.1
            crop = picture[y : y + side, x : x + side]
            way = cv2.INTER_AREA if side >= size else cv2.INTER_CUBIC
            crop = cv2.resize(crop, (size, size), interpolation=way)
            if grey:
                crop = np.repeat(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
            out[i] = crop[:, ::-1] if mirror else crop
        return out


def load_pool(folders: Sequence[Path | str], *, longest: int = 1024) -> PhotoPool:
    """Decode every photo of some folders (recursively) into memory.

    A folder may hold an `index.csv` with the columns `file`, `licence` and `source` (or
    `source_repo`); what it says goes into the manifest, otherwise the licence is "not stated".

    Args:
        folders: folders of PNG, JPEG or WebP files.
        longest: photos are shrunk to this longest side before they are kept.

    Raises:
        BadInput: if a folder is missing or holds no photo.
    """
    pictures: list[NDArray[np.uint8]] = []
    records: list[PhotoRecord] = []
    for folder in map(Path, folders):
        if not folder.is_dir():
            raise BadInput(f"{folder} is not a folder; name a folder of PNG, JPEG or WebP photos")
        stated = _index(folder)
        files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
        if not files:
            raise BadInput(f"{folder} holds no PNG, JPEG or WebP file; name a folder of photos")
        for path in files:
            raw = path.read_bytes()
            with Image.open(path, formats=["PNG", "JPEG", "WEBP"]) as picture:
                picture.thumbnail((longest, longest), Image.Resampling.LANCZOS)
                pictures.append(np.asarray(picture.convert("RGB")))
            name = path.relative_to(folder).as_posix()
            row = stated.get(name, {})
            records.append(
                PhotoRecord(
                    file=f"{folder.name}/{name}",
                    sha256=hashlib.sha256(raw).hexdigest(),
                    licence=row.get("licence") or "not stated",
                    source=row.get("source") or row.get("source_repo") or "not stated",
                )
            )
    return PhotoPool(pictures, records)


def write_manifest(records: Sequence[PhotoRecord], path: Path) -> None:
    """Write one CSV line a photo: file, sha256, licence, source."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["file", "sha256", "licence", "source"])
        writer.writerows([r.file, r.sha256, r.licence, r.source] for r in records)


def _index(folder: Path) -> dict[str, dict[str, str]]:
    path = folder / "index.csv"
    if not path.is_file():
        return {}
    with path.open(newline="") as file:
        return {row["file"]: row for row in csv.DictReader(file)}
