"""Decoding and checking images and audio, by content and whole.

A check never raises for bad input: it says `rejected` and why, out of `schema.Reason`. What can be
put right is put right and noted.
"""

from __future__ import annotations

import io
import math
import warnings
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from PIL import Image, ImageOps

from artsound.schema import Reason, Status
from artsound.sources.mpeg import mp3_is_cut

FloatArray = NDArray[np.float32]

# Formats that artworks come in; Pillow's others include ones that start external programs.
_FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "MPO")
_SUFFIXES: Final = {
    ".jpg": ("JPEG", "MPO"),
    ".jpeg": ("JPEG", "MPO"),
    ".png": ("PNG",),
    ".webp": ("WEBP",),
    ".gif": ("GIF",),
    ".tif": ("TIFF",),
    ".tiff": ("TIFF",),
    ".bmp": ("BMP",),
}
_BLOCK: Final = 1 << 18

DETECTED: Final = "detect by content"
ORIENTED: Final = "apply EXIF orientation"
FLATTENED: Final = "flatten on an opaque background"
CONVERTED: Final = "convert to RGB"


@dataclass(frozen=True)
class MediaLimits:
    """What a file may not exceed or fall short of.

    Attributes:
        max_image_pixels: checked before decoding, against decompression bombs.
        max_image_bytes: of the file.
        min_image_side: in pixels.
        max_audio_bytes: of the file.
        min_audio_s: of decoded audio, in seconds.
        max_audio_s: decoding stops there.
        silence_dbfs: a clip whose peak stays below it is silent.
    """

    max_image_pixels: int = 178_956_970
    max_image_bytes: int = 256 * 2**20
    min_image_side: int = 16
    max_audio_bytes: int = 256 * 2**20
    min_audio_s: float = 5.0
    max_audio_s: float = 3600.0
    silence_dbfs: float = -60.0


class MediaError(Exception):
    """A file cannot be used; `reason` is out of the vocabulary, `detail` is for people."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason


@dataclass(frozen=True)
class ImageCheck:
    """What became of an image; sizes are after orientation, null where it was rejected."""

    status: Status
    reason: str | None = None
    width: int | None = None
    height: int | None = None
    repairs: tuple[str, ...] = ()


@dataclass(frozen=True)
class AudioCheck:
    """What became of a clip; the measurements are of the decoded samples."""

    status: Status
    reason: str | None = None
    duration_s: float | None = None
    sample_rate: int | None = None
    channels: int | None = None
    rms_dbfs: float | None = None


# -- images ---------------------------------------------------------------------------------------


def decode_image(
    data: bytes, file_name: str = "", limits: MediaLimits | None = None
) -> tuple[Image.Image, tuple[str, ...]]:
    """Decode an image whole and bring it to RGB.

    EXIF orientation is applied; alpha is flattened on white; CMYK, grayscale (16 bits too) and
    palettes are converted.

    Args:
        data: the file's bytes.
        file_name: its name, only to note a suffix that does not fit the content.
        limits: the limits; the defaults if None.

    Returns:
        The image, mode RGB, and the repairs that were made, in order.

    Raises:
        MediaError: it cannot be used.
    """
    limits = limits or MediaLimits()
    if not data:
        raise MediaError(Reason.IMAGE_EMPTY)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            opened = Image.open(io.BytesIO(data), formats=_FORMATS)
            _check_size(opened, limits)
            opened.load()
            orientation = opened.getexif().get(0x0112, 1)
    except Image.DecompressionBombError as error:
        raise MediaError(Reason.IMAGE_TOO_LARGE, str(error)) from error
    except (OSError, SyntaxError, ValueError, TypeError, IndexError, OverflowError) as error:
        cut = "truncated" in str(error) or "unexpected end" in str(error)
        reason = Reason.IMAGE_TRUNCATED if cut else Reason.IMAGE_NOT_DECODABLE
        raise MediaError(reason, "" if cut else _brief(error)) from error
    except (EOFError, MemoryError, KeyError, ZeroDivisionError, RuntimeError) as error:
        raise MediaError(Reason.IMAGE_NOT_DECODABLE, _brief(error)) from error
    image: Image.Image = opened
    repairs = []
    expected = _SUFFIXES.get(PurePosixPath(file_name).suffix.lower())
    if expected and opened.format not in expected:
        repairs.append(DETECTED)
    if orientation in range(2, 9):
        image = ImageOps.exif_transpose(image)
        repairs.append(ORIENTED)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.new("RGB", rgba.size, "white")
        image.paste(rgba, mask=rgba.getchannel("A"))
        repairs += [FLATTENED, CONVERTED]
    elif image.mode != "RGB":
        image = _to_rgb(image)
        repairs.append(CONVERTED)
    return image, tuple(repairs)


def check_image(data: bytes, file_name: str = "", limits: MediaLimits | None = None) -> ImageCheck:
    """Check an image; `decode_image` says what is done to it."""
    try:
        image, repairs = decode_image(data, file_name, limits)
    except MediaError as error:
        return ImageCheck(Status.REJECTED, str(error))
    return ImageCheck(Status.OK, None, image.width, image.height, repairs)


def _check_size(image: Image.Image, limits: MediaLimits) -> None:
    size = f"{image.width} x {image.height}"
    if image.width * image.height > limits.max_image_pixels:
        raise MediaError(Reason.IMAGE_TOO_LARGE, f"{size} pixels")
    if min(image.size) < limits.min_image_side:
        raise MediaError(Reason.IMAGE_TOO_SMALL, f"{size} pixels")


def _to_rgb(image: Image.Image) -> Image.Image:
    """Convert to RGB; Pillow would clip wide grayscale at 255, so that is scaled first."""
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image, dtype=np.float64)
        top = 65535.0 if image.mode.startswith("I") else 1.0
        top = max(top, float(values.max(initial=0.0)))
        scaled = np.clip(np.nan_to_num(values) / top * 255.0, 0, 255).round().astype(np.uint8)
        return Image.fromarray(scaled).convert("RGB")
    return image.convert("RGB")


# -- audio ----------------------------------------------------------------------------------------


def check_audio(data: bytes, limits: MediaLimits | None = None) -> AudioCheck:
    """Decode a clip whole, in blocks, and measure it.

    It is rejected when it is empty, cannot be decoded, ends early (fewer samples than its header
    promises, or an MP3 whose last frame is cut or whose frames are fewer than its Xing header
    counts), is silent or too short.
    """
    limits = limits or MediaLimits()
    try:
        return _measure(data, limits)
    except MediaError as error:
        return AudioCheck(Status.REJECTED, str(error))


def _measure(data: bytes, limits: MediaLimits) -> AudioCheck:
    with _open_audio(data) as stream:
        rate, channels = stream.samplerate, stream.channels
        if rate <= 0 or channels <= 0:
            raise MediaError(Reason.AUDIO_NOT_DECODABLE, "no sample rate or no channel")
        promised = stream.frames
        is_mp3 = stream.format in ("MP3", "MPEG")
        frames, squares, peak = 0, 0.0, 0.0
        buffer = np.empty((_BLOCK, channels), np.float32)
        while True:
            try:
                block = stream.read(out=buffer)
            except (soundfile.LibsndfileError, RuntimeError) as error:
                raise MediaError(Reason.AUDIO_NOT_DECODABLE, _brief(error)) from error
            if not len(block):
                break
            flat = block.ravel()
            squares += float(np.dot(flat, flat))
            peak = max(peak, float(flat.max()), -float(flat.min()))
            frames += len(block)
            if frames > limits.max_audio_s * rate:
                raise MediaError(Reason.AUDIO_TOO_LARGE, f"over {limits.max_audio_s:g} s")
    if not frames:
        raise MediaError(Reason.AUDIO_NOT_DECODABLE, "no samples")
    if not math.isfinite(squares):
        raise MediaError(Reason.AUDIO_NOT_DECODABLE, "samples that are no numbers")
    # An MP3's promise is libsndfile's estimate; its frames are counted instead.
    if mp3_is_cut(data) if is_mp3 else frames < promised or _riff_is_cut(data):
        raise MediaError(Reason.AUDIO_TRUNCATED)
    duration = frames / rate
    if duration < limits.min_audio_s:
        raise MediaError(Reason.AUDIO_TOO_SHORT, f"{duration:.2f} s")
    if peak < 10 ** (limits.silence_dbfs / 20):
        raise MediaError(Reason.AUDIO_SILENT)
    rms = 10 * math.log10(max(squares / (frames * channels), 1e-20))
    return AudioCheck(Status.OK, None, duration, rate, channels, rms)


def _riff_is_cut(data: bytes) -> bool:
    """Say whether a WAV file is shorter than its header says; libsndfile silently mends that."""
    declared = int.from_bytes(data[4:8], "little")
    written_as_stream = declared in (0, 0xFFFFFFFF)
    return data.startswith(b"RIFF") and not written_as_stream and len(data) < declared + 8


def decode_audio(
    data: bytes, sample_rate: int | None = None, limits: MediaLimits | None = None
) -> tuple[FloatArray, int]:
    """Decode a clip to mono.

    Args:
        data: the file's bytes.
        sample_rate: resample to it (soxr, high quality); the file's own if None.
        limits: the limits; the defaults if None.

    Returns:
        Samples in [-1, 1], shape (samples,), float32, and their rate in Hz.

    Raises:
        MediaError: it cannot be decoded.
    """
    limits = limits or MediaLimits()
    with _open_audio(data) as stream:
        rate = stream.samplerate
        try:
            wave = stream.read(int(limits.max_audio_s * rate), dtype="float32", always_2d=True)
        except (soundfile.LibsndfileError, RuntimeError) as error:
            raise MediaError(Reason.AUDIO_NOT_DECODABLE, _brief(error)) from error
    mono = wave.mean(axis=1) if wave.shape[1] > 1 else wave[:, 0]
    if sample_rate and sample_rate != rate:
        mono, rate = soxr.resample(mono, rate, sample_rate, quality="HQ"), sample_rate
    return np.ascontiguousarray(mono, np.float32), rate


def _open_audio(data: bytes) -> soundfile.SoundFile:
    if not data:
        raise MediaError(Reason.AUDIO_EMPTY)
    try:
        return soundfile.SoundFile(io.BytesIO(data))
    except (soundfile.LibsndfileError, RuntimeError, ValueError) as error:
        # libsndfile's own words speak of a file that does not exist.
        raise MediaError(Reason.AUDIO_NOT_DECODABLE, "no audio found in it") from error


def _brief(error: BaseException) -> str:
    """Return an error's message on one line, without memory addresses."""
    text = " ".join(str(error).split()).partition("<_io.BytesIO")[0].strip()
    return text or type(error).__name__
