"""Reading predictions: any rate, channels and sample format, and a plain word on what is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from artsound.errors import ArtsoundError
from artsound.sources.media import MediaLimits

SHORTEST_S: Final = 1.0
_SILENCE: Final = 10 ** (MediaLimits().silence_dbfs / 20)
_ERRORS: Final = (soundfile.LibsndfileError, RuntimeError, ValueError, TypeError, OSError)


class ClipError(ArtsoundError):
    """A clip cannot be evaluated."""


@dataclass(frozen=True)
class Clip:
    """A decoded clip.

    Attributes:
        mono: the mean of its channels, float32, shape (samples,), cut to the window.
        sample_rate: in Hz.
        channels: as the file has them.
        duration_s: of the whole file.
    """

    mono: NDArray[np.float32]
    sample_rate: int
    channels: int
    duration_s: float

    @property
    def silent(self) -> bool:
        """Whether its peak stays below -60 dB of full scale."""
        return not len(self.mono) or float(np.abs(self.mono).max()) < _SILENCE

    def at(self, sample_rate: int | None) -> NDArray[np.float32]:
        """Return the samples at a rate (soxr, high quality); None for the clip's own."""
        if sample_rate is None or sample_rate == self.sample_rate:
            return self.mono
        made: NDArray[np.float32] = soxr.resample(self.mono, self.sample_rate, sample_rate)
        return made


def clip_of(
    samples: NDArray[np.float32],
    sample_rate: int,
    seconds: float | None,
    where: str,
    length: int | None = None,
) -> Clip:
    """Check samples and return their clip.

    Args:
        samples: shape (channels, samples).
        sample_rate: theirs, in Hz.
        seconds: only so much from the beginning is heard; None for all.
        where: what they are, for errors.
        length: how many there are in all, where only the beginning is given.

    Raises:
        ClipError: they are shorter than a second, or some are not finite.
    """
    channels, given = samples.shape
    duration = (length or given) / sample_rate
    if duration < SHORTEST_S:
        raise ClipError(f"{where} lasts {duration:.2f} s: clips of 1 s or more can be evaluated")
    heard = samples if seconds is None else samples[:, : round(seconds * sample_rate)]
    mono = heard[0] if channels == 1 else heard.mean(axis=0, dtype=np.float32)
    # The sum is finite only if all samples are, and needs no second array.
    if not np.isfinite(mono.sum(dtype=np.float64)):
        bad = int((~np.isfinite(mono)).sum())
        raise ClipError(f"{where} has {bad} samples that are NaN or infinite: write it again")
    return Clip(np.ascontiguousarray(mono, np.float32), sample_rate, channels, duration)


def read_clip(path: Path, seconds: float | None = None) -> Clip:
    """Decode a file with libsndfile: WAV of 8 to 32 bits or float, FLAC, Ogg, MP3, AIFF.

    Only what is heard is decoded, so memory does not grow with the file.

    Args:
        path: the file.
        seconds: only so much from the beginning is heard; None for all.

    Raises:
        ClipError: it is missing, cannot be decoded, is shorter than a second or has samples that
            are not finite; names the file.
    """
    try:
        with soundfile.SoundFile(path) as file:
            wanted = -1 if seconds is None else round(seconds * file.samplerate)
            samples = file.read(wanted, dtype="float32", always_2d=True)
            rate, length = file.samplerate, file.frames
    except _ERRORS as error:
        reason = "no such file" if not path.exists() else " ".join(str(error).split())
        raise ClipError(f"{path} cannot be decoded ({reason}): write it again") from error
    # A header may promise more than the file holds, or leave the length open.
    if len(samples) < wanted or seconds is None:
        length = len(samples)
    return clip_of(samples.T, int(rate), seconds, str(path), max(length, len(samples)))
