"""Music and artworks as pictures of one kind (paper, appendix B).

A spectrogram image shows a track as librosa's defaults have it: 22,050 Hz, Hann windows of 2,048
samples every 512, the power in 128 Slaney mel bands up to 11,025 Hz, in decibels below the track's
maximum, cut at 80 dB; low bands at the bottom, time from left to right, 512 x 512 pixels. It is
coloured by matplotlib's Inferno (Smith and van der Walt 2015), and so is a recoloured artwork.
The paper names the colour map; the rest it leaves open.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import librosa
import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image

from artsound.models.base import FloatArray

SAMPLE_RATE: Final = 22_050
WINDOW: Final = 2048
HOP: Final = 512
BANDS: Final = 128
RANGE_DB: Final = 80.0
SIZE: Final = 512


def intensities(waveform: FloatArray) -> NDArray[np.uint8]:
    """Return a track's log-mel spectrogram as intensities.

    Args:
        waveform: mono at `SAMPLE_RATE`, shape (samples,).

    Returns:
        uint8, shape (`BANDS`, frames), the lowest band last; 255 is the track's maximum and 0 lies
        `RANGE_DB` or more below it. A silent track is 0 throughout.
    """
    power = librosa.feature.melspectrogram(
        y=waveform, sr=SAMPLE_RATE, n_fft=WINDOW, hop_length=HOP, n_mels=BANDS
    )
    if not power.any():
        return np.zeros(power.shape, dtype=np.uint8)
    decibels = librosa.power_to_db(power, ref=np.max, top_db=RANGE_DB)
    scaled: NDArray[np.uint8] = np.rint(255 * (1 + decibels[::-1] / RANGE_DB)).astype(np.uint8)
    return scaled


def spectrogram_image(waveform: FloatArray) -> Image.Image:
    """Return a track's spectrogram image, RGB, `SIZE` x `SIZE` pixels; see `intensities`."""
    grey = Image.fromarray(intensities(waveform))
    return recolour(grey.resize((SIZE, SIZE), Image.Resampling.BICUBIC))


def recolour(image: Image.Image) -> Image.Image:
    """Return an image in Inferno's colours, each pixel's luminance (Rec. 601) its intensity."""
    return Image.fromarray(_inferno()[np.asarray(image.convert("L"))])


@cache
def _inferno() -> NDArray[np.uint8]:
    """Return Inferno's 256 colours, uint8, shape (256, 3)."""
    colours: NDArray[np.uint8] = np.asarray(
        colormaps["inferno"](np.arange(256), bytes=True)[:, :3], dtype=np.uint8
    )
    return colours
