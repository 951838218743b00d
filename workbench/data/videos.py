"""Frames of clips: folders of pictures, arrays, and video files through what is installed."""

import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.data.images import fit, open_image
from workbench.data.matched import files_in
from workbench.errors import BadInput

PICTURES = (".png", ".jpg", ".jpeg", ".webp")
ARRAYS = (".npz", ".npy")
VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".gif")
MOST_FRAMES = 100_000
MOST_BYTES = 1 << 32


def sources(root: Path) -> list[Path]:
    """Return what holds frames: each folder with pictures, each array, each video file."""
    pictures = {path.parent for path in files_in(root, PICTURES)}
    return sorted([*pictures, *files_in(root, (*ARRAYS, *VIDEOS))])


def frames_of(source: Path, side: int) -> NDArray[np.uint8]:
    """Read all frames of a source, uint8 [t, side, side, 3], the centred square of each.

    Arrays hold uint8 [t, h, w, 3]; in an .npz the one called `frames`, or the only one.

    Raises:
        BadInput: it cannot be read, or is too long.
    """
    if source.is_dir():
        files = [path for path in files_in(source, PICTURES) if path.parent == source]
        found = [open_image(path, name=path.name, longest=4096).pixels for path in files]
        return np.stack([fit(pixels, side, side) for pixels in found])
    if source.suffix.lower() in ARRAYS:
        return np.stack([fit(pixels, side, side) for pixels in _array(source)])
    return _video(source, side)


def _array(path: Path) -> NDArray[np.uint8]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError("larger than 4 GB")
        found = np.load(path, allow_pickle=False)
        if isinstance(found, np.ndarray):
            frames = found
        else:
            with found:
                names = list(found.files)
                if "frames" not in names and len(names) != 1:
                    raise ValueError(f"it holds {', '.join(names)} and no frames")
                frames = found["frames" if "frames" in names else names[0]]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as problem:
        raise BadInput(f"{path} cannot be read ({problem}); save uint8 [t, h, w, 3].") from None
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3 or not len(frames):
        raise BadInput(f"{path} is {frames.dtype} {frames.shape}, wanted uint8 [t, h, w, 3].")
    return frames


def _video(path: Path, side: int) -> NDArray[np.uint8]:
    import cv2

    reader = cv2.VideoCapture(str(path))
    found: list[NDArray[np.uint8]] = []
    try:
        while len(found) < MOST_FRAMES:
            there, frame = reader.read()
            if not there:
                break
            found.append(fit(np.asarray(frame[..., ::-1], np.uint8), side, side))
    finally:
        reader.release()
    if not found:
        raise BadInput(f"{path} has no frame that OpenCV can read; save its frames as PNG files.")
    return np.stack(found)
