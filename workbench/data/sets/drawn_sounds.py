"""Sounds that the workbench makes up, as spectrograms: gliding voices with overtones and beats."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from workbench.data.sets.dataset import Dataset, Pictures, drawn_seeds
from workbench.data.sounds import made_up, samples_for, spectrogram
from workbench.params import Knob
from workbench.seeds import Noise

SOUND_SEED = 0x50D


@dataclass(frozen=True, kw_only=True)
class DrawnSounds(Dataset):
    """Log-mel spectrograms [n, size, size, 1]: as many mel bands as columns of 16 ms each.

    Three voices of random pitch, glide, vibrato, overtones and beat, and a little noise. Test
    sounds have seeds of their own.
    """

    gives: ClassVar[tuple[str, ...]] = ("spectrograms",)
    licence: ClassVar[str] = "made up by the workbench"

    count: Annotated[int, Knob("sounds for training", 10, 1_000_000, 100, None, 10_000)] = 1000

    def load(self, size: int, *, train: bool = True) -> Pictures:
        """See `Dataset.load`."""
        seeds = drawn_seeds(self.count, train)
        images = np.empty((len(seeds), size, size, 1), np.uint8)
        for i, seed in enumerate(seeds):
            noise = Noise(SOUND_SEED, 0, seed)
            hiss = noise.normal(samples_for(size), stream=1)[0]
            images[i, ..., 0] = spectrogram(made_up(noise.uniform(24)[0], hiss), size, size)
        return Pictures(images, names=[f"sound {seed}" for seed in seeds])
