"""What signal processing can say of a music segment: tempo, key, loudness, tone, percussiveness.

Every measure that may be wrong comes with a confidence, so that a caption can stay silent about it.
Only parts of librosa that need no just-in-time compilation are used.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import librosa
import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks

from artsound.models.base import FloatArray

SILENCE_DBFS: Final = -60.0
_FLOOR_DBFS: Final = -100.0
_FFT: Final = 1024
_HOP: Final = 256
_CHROMA_FFT: Final = 8192
_CHROMA_HOP: Final = 4096
_TEMPI: Final = (50.0, 200.0)
# fmt: off
_MAJOR_KEYS: Final = (
    "C", "D-flat", "D", "E-flat", "E", "F", "F-sharp", "G", "A-flat", "A", "B-flat", "B",
)
_MINOR_KEYS: Final = (
    "C", "C-sharp", "D", "E-flat", "E", "F", "F-sharp", "G", "G-sharp", "A", "B-flat", "B",
)
# fmt: on

# The probe-tone ratings of Krumhansl and Kessler 1982 (Psychological Review 89, table 1), from the
# tonic upwards in semitones.
_MAJOR: Final = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR: Final = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Key:
    """A key and how well it fits.

    Attributes:
        name: tonic and mode ("D major").
        minor: whether the mode is minor.
        correlation: of the chroma with the key's profile, -1 to 1.
        margin: how much the correlation exceeds that of the best other tonic.
    """

    name: str
    minor: bool
    correlation: float
    margin: float


@dataclass(frozen=True)
class MusicFeatures:
    """Descriptors of one mono segment.

    Attributes:
        rms_dbfs: level in dB relative to full scale, -100 for digital silence.
        dynamic_range_db: the 95th minus the 10th percentile of the level of 0.4 s windows.
        centroid_hz: the spectral centroid, averaged over frames by their energy.
        percussive: the percussive part of the energy, 0 (sustained) to 1.
        onsets_per_s: note onsets a second.
        tempo_bpm: beats a minute, 0 where there is no pulse.
        pulse: how strongly the onsets repeat at that tempo, 0 to 1.
        key: the best key, or None for silence.
    """

    rms_dbfs: float
    dynamic_range_db: float
    centroid_hz: float
    percussive: float
    onsets_per_s: float
    tempo_bpm: float
    pulse: float
    key: Key | None

    @property
    def silent(self) -> bool:
        """Whether there is nothing to hear."""
        return self.rms_dbfs < SILENCE_DBFS


_SILENT: Final = MusicFeatures(_FLOOR_DBFS, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, None)


def measure(waveform: FloatArray, sample_rate: int) -> MusicFeatures:
    """Measure a segment.

    Args:
        waveform: mono samples in [-1, 1], shape (samples,).
        sample_rate: in Hz.

    Raises:
        ValueError: the waveform is not mono, is empty, or has samples that are not finite.
    """
    if waveform.ndim != 1 or not waveform.size or not np.isfinite(waveform).all():
        raise ValueError("music features need a mono waveform of one or more finite samples")
    samples = np.asarray(waveform, dtype=np.float32)
    level = _dbfs(np.array([np.mean(np.square(samples, dtype=np.float64))]))[0]
    if level < SILENCE_DBFS:
        return _SILENT
    spectrum = np.abs(_stft(samples, _FFT, _HOP))
    mel = librosa.feature.melspectrogram(S=np.square(spectrum), sr=sample_rate, n_mels=96)
    onsets = librosa.onset.onset_strength(
        S=librosa.power_to_db(mel), sr=sample_rate, hop_length=_HOP, lag=2
    ).astype(np.float64)
    frame_rate = sample_rate / _HOP
    tempo, pulse = _tempo(onsets, frame_rate)
    return MusicFeatures(
        rms_dbfs=float(level),
        dynamic_range_db=_dynamic_range(samples, sample_rate),
        centroid_hz=_centroid(spectrum, sample_rate),
        percussive=_percussive(mel),
        onsets_per_s=_onset_rate(onsets, frame_rate),
        tempo_bpm=tempo,
        pulse=pulse,
        key=estimate_key(_chroma(samples, sample_rate)),
    )


def _stft(samples: FloatArray, size: int, hop: int) -> NDArray[np.complex64]:
    padded = np.pad(samples, (0, max(0, size - len(samples))))
    made: NDArray[np.complex64] = librosa.stft(padded, n_fft=size, hop_length=hop)
    return made


def _dbfs(power: Floats) -> Floats:
    made: Floats = 10.0 * np.log10(np.maximum(power, 10.0 ** (_FLOOR_DBFS / 10.0)))
    return made


def _dynamic_range(samples: FloatArray, sample_rate: int) -> float:
    window = min(len(samples), round(0.4 * sample_rate))
    whole = len(samples) // window * window
    power = np.square(samples[:whole], dtype=np.float64).reshape(-1, window).mean(axis=1)
    low, high = np.percentile(_dbfs(power), [10, 95])
    return float(high - low)


def _centroid(spectrum: FloatArray, sample_rate: int) -> float:
    frequencies = librosa.fft_frequencies(sr=sample_rate, n_fft=_FFT)
    weights = spectrum.sum(axis=1, dtype=np.float64)
    return float(frequencies @ weights / weights.sum())


def _percussive(mel: FloatArray) -> float:
    """Return the percussive share of the energy (Fitzgerald 2010, by median filtering)."""
    harmonic, percussive = librosa.decompose.hpss(np.sqrt(mel), kernel_size=(17, 17))
    struck, held = (np.square(part, dtype=np.float64).sum() for part in (percussive, harmonic))
    return float(struck / (struck + held))


def _onset_rate(onsets: Floats, frame_rate: float) -> float:
    # A peak counts that stands well out of the envelope, 60 ms or more from a larger one.
    threshold = onsets.mean() + 0.5 * onsets.std()
    peaks, _ = find_peaks(
        onsets, height=max(threshold, 1.0), distance=max(1, round(0.06 * frame_rate))
    )
    return float(len(peaks) * frame_rate / len(onsets))


def _tempo(onsets: Floats, frame_rate: float) -> tuple[float, float]:
    """Return beats a minute and the strength of the pulse, from the onsets' autocorrelation.

    A lag's score adds the autocorrelation at twice the lag, and is weighted by how usual the tempo
    is: log-normal about 120 beats a minute, a deviation of one octave (Ellis 2007).
    """
    centred = onsets - onsets.mean()
    raw = librosa.autocorrelate(centred)
    first, last = (round(60.0 * frame_rate / tempo) for tempo in reversed(_TEMPI))
    if len(raw) < 2 * last + 2 or raw[0] <= 1e-9:
        return 0.0, 0.0
    # Undo the taper that fewer overlapping frames at long lags give.
    correlation = raw / raw[0] * (len(raw) / (len(raw) - np.arange(len(raw))))
    lags = np.arange(first, last + 1)
    doubled = np.maximum(
        correlation[2 * lags], np.maximum(correlation[2 * lags - 1], correlation[2 * lags + 1])
    )
    combined = 0.5 * (correlation[lags] + doubled)
    usual = np.exp(-0.5 * np.square(np.log2(60.0 * frame_rate / lags / 120.0)))
    best = int(np.argmax(combined * usual))
    lag = first + best
    near = correlation[lag - 1 : lag + 2]
    bend = near[0] - 2.0 * near[1] + near[2]
    shift = float(np.clip(0.5 * (near[0] - near[2]) / bend, -0.5, 0.5)) if bend < 0 else 0.0
    return 60.0 * frame_rate / (lag + shift), float(np.clip(combined[best], 0.0, 1.0))


def _chroma(samples: FloatArray, sample_rate: int) -> Floats:
    spectrum = np.abs(_stft(samples, _CHROMA_FFT, _CHROMA_HOP))
    # Tuning is taken as 440 Hz; estimating it needs compilation.
    chroma = librosa.feature.chroma_stft(
        S=spectrum, sr=sample_rate, n_fft=_CHROMA_FFT, tuning=0.0, norm=None, octwidth=2.0
    )
    mean: Floats = np.asarray(chroma, dtype=np.float64).mean(axis=1)
    return mean


@cache
def _profiles() -> Floats:
    rows = [np.roll(mode, tonic) for mode in (_MAJOR, _MINOR) for tonic in range(12)]
    centred = np.array(rows) - np.mean(rows, axis=1, keepdims=True)
    made: Floats = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    return made


def estimate_key(chroma: FloatArray | Floats) -> Key | None:
    """Return the key whose profile correlates best with the chroma (Krumhansl 1990, chapter 4).

    Args:
        chroma: the weight of each pitch class from C upwards, shape (12,).

    Returns:
        The key, or None where all pitch classes weigh the same.
    """
    centred = np.asarray(chroma, dtype=np.float64) - np.mean(chroma)
    norm = np.linalg.norm(centred)
    if norm <= 1e-9:
        return None
    correlations = _profiles() @ (centred / norm)
    best = int(np.argmax(correlations))
    others = np.arange(24) % 12 != best % 12
    minor = best >= 12
    tonics, mode = (_MINOR_KEYS, "minor") if minor else (_MAJOR_KEYS, "major")
    return Key(
        name=f"{tonics[best % 12]} {mode}",
        minor=minor,
        correlation=float(correlations[best]),
        margin=float(correlations[best] - correlations[others].max()),
    )
