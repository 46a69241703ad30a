"""From a model's samples to 16-bit files: levels are kept, and nothing is clipped."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

AudioFormat = Literal["wav", "flac"]
FORMATS: Final[tuple[AudioFormat, ...]] = ("wav", "flac")


@dataclass(frozen=True)
class Encoded:
    """A sound file in memory.

    Attributes:
        data: the file's bytes, 16 bits a sample.
        gain_db: what the samples were turned down by to fit, 0 or less.
        peak_dbfs: of the file, in dB below full scale; None for digital silence.
    """

    data: bytes
    gain_db: float
    peak_dbfs: float | None


def encode(waveform: NDArray[np.float32], sample_rate: int, kind: AudioFormat) -> Encoded:
    """Return mono samples as a 16-bit file.

    The loudness that a model gave stays, so that clips compare as they were made; a clip that
    exceeds full scale is turned down as a whole, since clipping would distort it. Samples are
    rounded, without dither: the same samples give the same bytes.

    Args:
        waveform: shape (samples,), full scale is 1.
        sample_rate: in Hz.
        kind: `wav` or `flac`.

    Raises:
        ValueError: the samples are not finite.
    """
    import soundfile

    if not np.isfinite(waveform).all():
        raise ValueError("the waveform holds NaN or infinity")
    peak = float(np.abs(waveform).max(initial=0.0))
    gain = min(1.0, 1.0 / peak) if peak else 1.0
    steps = np.round(np.asarray(waveform, np.float64) * gain * 32767).astype(np.int16)
    buffer = io.BytesIO()
    soundfile.write(buffer, steps, sample_rate, format=kind.upper(), subtype="PCM_16")
    loudest = int(np.abs(steps.astype(np.int32)).max(initial=0))
    return Encoded(
        buffer.getvalue(),
        round(20 * float(np.log10(gain)), 3) if gain < 1 else 0.0,
        round(20 * float(np.log10(loudest / 32768)), 3) if loudest else None,
    )
