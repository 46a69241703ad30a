"""Log-mel spectrograms as small pictures, to see what a clip sounds like."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

WIDTH: Final = 480
HEIGHT: Final = 96
_FFT: Final = 1024
_RANGE_DB: Final = 80.0


def spectrogram(samples: NDArray[np.float32], sample_rate: int) -> bytes:
    """Return the spectrogram of mono sound as a PNG, `WIDTH` by `HEIGHT`.

    Time runs to the right and frequency up, in mel bands; the colours are matplotlib's magma, from
    full scale down to 80 dB below it, so that pictures of clips compare in loudness too.

    Args:
        samples: shape (samples,), full scale is 1.
        sample_rate: in Hz.
    """
    bands = _bands(sample_rate)
    hop = max(len(samples) // WIDTH, 1)
    padded = np.pad(samples.astype(np.float64), (_FFT // 2, _FFT))
    starts = np.arange(WIDTH) * hop
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FFT)[
        np.minimum(starts, len(padded) - _FFT)
    ]
    window = np.hanning(_FFT)
    magnitude = np.abs(np.fft.rfft(frames * window, axis=1)) * 2 / window.sum()
    mel = bands @ magnitude.T
    level = 20 * np.log10(np.maximum(mel, 1e-9))
    steps = np.clip((level / _RANGE_DB + 1) * 255, 0, 255).round().astype(np.uint8)
    picture = Image.fromarray(steps[::-1])
    picture.putpalette(_palette())
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


@lru_cache(maxsize=4)
def _bands(sample_rate: int) -> NDArray[np.float64]:
    """Return triangular mel bands with peaks of 1, shape (HEIGHT, bins)."""
    from librosa.filters import mel

    found: Any = mel(sr=sample_rate, n_fft=_FFT, n_mels=HEIGHT, norm=None)
    return np.asarray(found, np.float64)


@lru_cache(maxsize=1)
def _palette() -> bytes:
    from matplotlib import colormaps

    colours = colormaps["magma"](np.arange(256))[:, :3]
    return (colours * 255).round().astype(np.uint8).tobytes()
