"""Decoding and checking audio with libsndfile."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from artsound.schema import Reason, Status
from artsound.sources import mpeg
from artsound.sources.cut import is_cut
from artsound.sources.limits import MediaError, MediaLimits

FloatArray = NDArray[np.float32]

# Formats that music comes in. libsndfile knows others with magic numbers so weak that noise passes.
_MP3: Final = ("MP3", "MPEG")
_FORMATS: Final = (*_MP3, "FLAC", "OGG", "WAV", "WAVEX", "RF64", "AIFF")
_BLOCK: Final = 1 << 18
_ERRORS: Final = (soundfile.LibsndfileError, RuntimeError, ValueError, TypeError)


@dataclass(frozen=True)
class AudioCheck:
    """What became of a clip.

    Attributes:
        status: `ok` or `rejected`.
        reason: why it was rejected, else None.
        duration_s: of the decoded samples, in seconds; as what follows None where it was rejected.
        sample_rate: in Hz.
        channels: their number.
        rms_dbfs: root mean square over all channels, in dB of full scale.
    """

    status: Status
    reason: str | None = None
    duration_s: float | None = None
    sample_rate: int | None = None
    channels: int | None = None
    rms_dbfs: float | None = None


def check_audio(data: bytes, limits: MediaLimits | None = None) -> AudioCheck:
    """Decode a clip whole, in blocks, and measure it.

    It is rejected when it is empty, cannot be decoded, lacks its end (an MP3 whose last frame is
    cut or whose frames are fewer than its Xing header counts; a WAV, AIFF, Ogg or FLAC with less
    than it states), is longer or shorter than the limits, or silent.

    Args:
        data: the file's bytes.
        limits: the limits; the defaults if None.
    """
    try:
        return _measure(data, limits or MediaLimits())
    except MediaError as error:
        return AudioCheck(Status.REJECTED, str(error))


def _measure(data: bytes, limits: MediaLimits) -> AudioCheck:
    with _Clip(data) as clip:
        stream = clip.stream
        rate, channels, promised = stream.samplerate, stream.channels, stream.frames
        counts = stream.format not in _MP3  # an MP3's length is an estimate; its frames are walked
        frames, squares, peak = 0, 0.0, 0.0
        buffer = np.empty((_BLOCK, channels), np.float32)
        while len(block := clip.read(buffer)):
            flat = block.ravel()
            squares += float(np.dot(flat, flat))
            peak = max(peak, float(flat.max()), -float(flat.min()))
            frames += len(block)
            if frames > limits.max_audio_s * rate:
                raise MediaError(Reason.AUDIO_TOO_LARGE, f"over {limits.max_audio_s:g} s")
    if clip.cut or (counts and frames < promised):
        raise MediaError(Reason.AUDIO_TRUNCATED)
    if not frames or not math.isfinite(squares):
        raise MediaError(Reason.AUDIO_NOT_DECODABLE)
    duration = frames / rate
    if duration < limits.min_audio_s:
        raise MediaError(Reason.AUDIO_TOO_SHORT, f"{duration:.2f} s")
    if peak < 10 ** (limits.silence_dbfs / 20):
        raise MediaError(Reason.AUDIO_SILENT)
    rms = 10 * math.log10(max(squares / (frames * channels), 1e-20))
    return AudioCheck(Status.OK, None, duration, rate, channels, rms)


def decode_audio(
    data: bytes, sample_rate: int | None = None, limits: MediaLimits | None = None
) -> tuple[FloatArray, int]:
    """Decode a clip to mono.

    Args:
        data: the file's bytes.
        sample_rate: resample to it (soxr, high quality); the file's own if None.
        limits: the limits; the defaults if None. Decoding stops at `max_audio_s`.

    Returns:
        Samples in [-1, 1], shape (samples,), float32, and their rate in Hz.

    Raises:
        MediaError: it cannot be decoded.
    """
    limits = limits or MediaLimits()
    blocks: list[FloatArray] = []
    with _Clip(data) as clip:
        rate = int(clip.stream.samplerate)
        left = int(limits.max_audio_s * rate)
        buffer = np.empty((_BLOCK, clip.stream.channels), np.float32)
        while left > 0 and len(block := clip.read(buffer[:left])):
            blocks.append(block.mean(axis=1, dtype=np.float32))
            left -= len(block)
    if not blocks:
        raise MediaError(Reason.AUDIO_NOT_DECODABLE)
    mono = np.concatenate(blocks)
    if sample_rate and sample_rate != rate:
        mono, rate = soxr.resample(mono, rate, sample_rate, quality="HQ"), sample_rate
    return np.ascontiguousarray(mono, np.float32), rate


class _Clip:
    """An open clip.

    Attributes:
        stream: the decoder.
        cut: the end of an MP3 is missing; other formats that say so are not opened.
    """

    def __init__(self, data: bytes) -> None:
        if not data:
            raise MediaError(Reason.AUDIO_EMPTY)
        if is_cut(data):
            raise MediaError(Reason.AUDIO_TRUNCATED)
        self._size = len(data)
        self.cut = False
        self._open(data)
        if self.stream.format in _MP3:
            frames = mpeg.walk(data)
            if frames is not None:
                self.cut = frames.cut
                counted = mpeg.with_true_count(data, frames)
                if counted is not data:
                    self._size = len(counted)
                    self.stream.close()
                    self._open(counted)
        elif self.stream.format not in _FORMATS:
            self.stream.close()
            raise MediaError(Reason.AUDIO_NOT_DECODABLE)

    def _open(self, data: bytes) -> None:
        self._source = io.BytesIO(data)
        try:
            self.stream = soundfile.SoundFile(self._source)
        except _ERRORS as error:
            raise MediaError(Reason.AUDIO_NOT_DECODABLE) from error
        if self.stream.samplerate <= 0 or self.stream.channels <= 0:
            raise MediaError(Reason.AUDIO_NOT_DECODABLE)

    def read(self, buffer: FloatArray) -> FloatArray:
        """Decode into a buffer, shape (samples, channels); return the part that was filled."""
        try:
            block: FloatArray = self.stream.read(out=buffer)
        except _ERRORS as error:
            # A decoder that fails with nothing left to read has met the end too early.
            ended = self._source.tell() >= self._size
            reason = Reason.AUDIO_TRUNCATED if ended else Reason.AUDIO_NOT_DECODABLE
            raise MediaError(reason) from error
        return block

    def __enter__(self) -> _Clip:
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()
