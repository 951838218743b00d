"""A folder of sounds: .wav files as spectrograms."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.data.matched import files_in, named_folder
from workbench.data.sets.dataset import Dataset, Pictures, Skip, split
from workbench.data.sounds import HOP, RATE, samples_for, spectrogram
from workbench.errors import BadInput
from workbench.params import Knob

MOST_BYTES = 1 << 30


@dataclass(frozen=True, kw_only=True)
class FolderOfSounds(Dataset):
    """Log-mel spectrograms [n, size, size, 1] of pieces that follow each other in every file.

    Channels are averaged and the rate brought to 16 kHz. Every fifth piece is for testing.
    """

    gives: ClassVar[tuple[str, ...]] = ("spectrograms",)

    path: Annotated[str, Knob("the folder")] = ""
    skip: Skip = 100

    def load(self, size: int, *, train: bool = True) -> Pictures:
        """See `Dataset.load`."""
        root, length = named_folder(self.path, self.name), samples_for(size)
        rows: list[NDArray[np.uint8]] = []
        names: list[str] = []
        skipped: list[tuple[str, str]] = []
        for path in files_in(root, (".wav",)):
            name = path.relative_to(root).as_posix()
            try:
                wave = read_wave(path)
                if len(wave) < length:
                    need = length / RATE
                    raise BadInput(f"{name} lasts {len(wave) / RATE:.2f} s, wanted {need:.2f} s.")
            except BadInput as problem:
                skipped.append((name, str(problem)))
                if len(skipped) > self.skip:
                    raise BadInput(f"too many sounds cannot be used: {problem}") from None
                continue
            for start in range(0, len(wave) - length + 1, HOP * size):
                rows.append(spectrogram(wave[start : start + length], size, size)[..., None])
                names.append(f"{name}#{start / RATE:.2f}s")
        if not rows:
            raise BadInput(f"{root} holds no .wav file that is long enough; name another folder.")
        return split(Pictures(np.stack(rows), names=names, skipped=tuple(skipped)), train)


def read_wave(path: Path) -> NDArray[np.float64]:
    """Read a sound as mono at 16 kHz, -1 to 1.

    Raises:
        BadInput: it is no sound that SciPy reads.
    """
    from scipy.io import wavfile
    from scipy.signal import resample_poly

    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError("larger than 1 GB")
        rate, found = wavfile.read(path)
    except Exception as problem:  # the reader raises many kinds for broken files
        raise BadInput(f"{path} cannot be read ({problem}); save it as 16-bit .wav.") from None
    wave = np.asarray(found, np.float64)
    if found.dtype.kind == "u":
        wave = (wave - 128) / 128
    elif found.dtype.kind == "i":
        wave /= float(2 ** (8 * found.dtype.itemsize - 1))
    wave = wave.mean(1) if wave.ndim == 2 else wave
    common = math.gcd(int(rate), RATE)
    return resample_poly(wave, RATE // common, int(rate) // common) if rate != RATE else wave
