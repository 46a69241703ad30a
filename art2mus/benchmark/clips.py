"""Reading predictions: any rate, channels and sample format, and a plain word on what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
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
    samples: NDArray[np.float32], sample_rate: int, seconds: float | None, where: str
) -> Clip:
    """Check samples and return their clip.

    Args:
        samples: shape (channels, samples).
        sample_rate: theirs, in Hz.
        seconds: only so much from the beginning is heard; None for all.
        where: what they are, for errors.

    Raises:
        ClipError: they are shorter than a second, or some are not finite.
    """
    channels, length = samples.shape
    duration = length / sample_rate
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

    Args:
        path: the file.
        seconds: only so much from the beginning is heard; None for all.

    Raises:
        ClipError: it is missing, cannot be decoded, is shorter than a second or has samples that
            are not finite; names the file.
    """
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except _ERRORS as error:
        reason = "no such file" if not path.exists() else " ".join(str(error).split())
        raise ClipError(f"{path} cannot be decoded ({reason}): write it again") from error
    return clip_of(samples.T, int(rate), seconds, str(path))


@dataclass(frozen=True)
class Inspection:
    """How a folder of predictions stands to the pairs of a split.

    Attributes:
        missing: pairs without a prediction.
        extra: predictions that no pair of the split has.
        unusable: predictions that cannot be evaluated, and why.
        silent: predictions that are silent: evaluated, and named.
    """

    missing: tuple[str, ...]
    extra: tuple[str, ...]
    unusable: Mapping[str, str]
    silent: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Whether every pair has a usable prediction and nothing else is there."""
        return not (self.missing or self.extra or self.unusable)

    def complaint(self) -> str:
        """Return one line on what is wrong; empty where nothing is."""
        parts = [
            _some(self.missing, "pairs without a prediction"),
            _some(self.extra, "predictions of no pair in the split"),
        ]
        if self.unusable:
            parts.append(f"{len(self.unusable)} unusable: {next(iter(self.unusable.values()))}")
        return "; ".join(part for part in parts if part)


def inspect(
    generated: Mapping[str, Path], pair_ids: list[str], seconds: float | None = None
) -> Inspection:
    """Decode every prediction and say what is missing, extra, unusable or silent.

    Args:
        generated: files by pair.
        pair_ids: those of the split.
        seconds: only so much from the beginning is heard; None for all.
    """
    known = set(pair_ids)
    unusable: dict[str, str] = {}
    silent: list[str] = []
    for pair_id in sorted(known & generated.keys()):
        try:
            if read_clip(generated[pair_id], seconds).silent:
                silent.append(pair_id)
        except ClipError as error:
            unusable[pair_id] = str(error)
    return Inspection(
        tuple(pair_id for pair_id in pair_ids if pair_id not in generated),
        tuple(sorted(generated.keys() - known)),
        unusable,
        tuple(silent),
    )


def _some(names: tuple[str, ...], what: str, most: int = 3) -> str:
    if not names:
        return ""
    more = ", ..." if len(names) > most else ""
    return f"{len(names)} {what} ({', '.join(names[:most])}{more})"
