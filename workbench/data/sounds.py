"""Sounds as pictures: log-mel spectrograms, rows = frequency (high above), columns = time."""

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput

RATE = 16_000
WINDOW, HOP = 512, 256
LOWEST, HIGHEST = 60.0, 7600.0
FLOOR = -80.0  # dB that are black; 0 dB, a sine of full strength, is white


def samples_for(columns: int) -> int:
    """How many samples make a spectrogram of so many columns."""
    return WINDOW + HOP * (columns - 1)


def mel_filters(bands: int) -> NDArray[np.float64]:
    """Triangles of equal height on the mel scale 2595 log10(1 + f / 700), [bands, bins]."""
    bins = np.fft.rfftfreq(WINDOW, 1 / RATE)
    low, high = (2595 * np.log10(1 + f / 700) for f in (LOWEST, HIGHEST))
    corners = 700 * (10 ** (np.linspace(low, high, bands + 2) / 2595) - 1)
    left, middle, right = (corners[i : i + bands, None] for i in range(3))
    rise, fall = (bins - left) / (middle - left), (right - bins) / (right - middle)
    found = np.maximum(0, np.minimum(rise, fall))
    # where bands are narrower than a bin, the nearest bin stands for them
    empty = found.sum(1) == 0
    nearest = np.abs(bins - middle).argmin(1)
    found[empty, nearest[empty]] = 1
    return found


def spectrogram(wave: NDArray[np.floating], bands: int, columns: int) -> NDArray[np.uint8]:
    """Log-mel spectrogram, uint8 [bands, columns]: 0 is -80 dB or less, 255 is 0 dB.

    Args:
        wave: mono, 16 kHz, -1 to 1, at least `samples_for(columns)` long; the rest is left out.
        bands: rows; the first is the highest.
        columns: windows of 32 ms, each 16 ms after the one before.

    Raises:
        BadInput: too short.
    """
    if len(wave) < samples_for(columns):
        raise BadInput(
            f"a sound has {len(wave)} samples, but {samples_for(columns)} are needed for "
            f"{columns} columns; take longer sounds or a smaller size."
        )
    at = HOP * np.arange(columns)[:, None] + np.arange(WINDOW)
    window = np.hanning(WINDOW)
    power = np.abs(np.fft.rfft(wave[at] * window, axis=1)) ** 2 / (window.sum() / 2) ** 2
    mel = mel_filters(bands) @ power.T
    level = 10 * np.log10(np.maximum(mel[::-1], 1e-12))
    return (np.clip(1 - level / FLOOR, 0, 1) * 255 + 0.5).astype(np.uint8)


def made_up(u: NDArray[np.float64], hiss: NDArray[np.floating]) -> NDArray[np.float64]:
    """A sound of three voices, -1 to 1, as long as the noise `hiss`.

    Args:
        u: 24 random numbers in [0, 1), eight a voice: pitch, glide, vibrato and its rate, overtones
            and how fast they fade, beat and loudness.
        hiss: standard normal, [samples].
    """
    t = np.arange(len(hiss)) / RATE
    out = np.zeros(len(hiss))
    for pitch, glide, depth, rate, overtones, fade, beat, loud in u.reshape(3, 8):
        start = 110 * 2 ** (4 * pitch)
        octaves = (2 * glide - 1) * t / max(t[-1], 1e-9)
        wobble = 0.04 * depth * np.sin(2 * np.pi * (2 + 6 * rate) * t)
        phase = 2 * np.pi * np.cumsum(start * 2 ** (octaves + wobble)) / RATE
        voice = np.zeros(len(t))
        for k in range(1, 2 + int(8 * overtones)):
            under = start * k * 2 ** (octaves + wobble) < RATE / 2.2
            voice += under * np.sin(k * phase) * (0.45 + 0.45 * fade) ** (k - 1)
        pulse = 0.5 + 0.5 * np.sin(2 * np.pi * (1 + 5 * beat) * t + 6.28 * loud)
        out += (0.1 + 0.2 * loud) * voice * pulse**2
    return np.clip(out + 0.002 * hiss, -1, 1)
