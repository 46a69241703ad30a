"""Decoding and checking images with Pillow."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

import numpy as np
from PIL import Image, UnidentifiedImageError

from artsound.schema import Reason, Status
from artsound.sources.cut import is_cut
from artsound.sources.limits import MediaError, MediaLimits

# Formats that artworks come in; Pillow's others include ones that start external programs.
_FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP")
# MPO is a JPEG with further pictures after the first, as some cameras write it.
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
# What Pillow's decoders are known to raise for damaged files.
_DECODER_ERRORS: Final = (
    OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, ArithmeticError,
    MemoryError, RuntimeError, AttributeError, struct.error, zlib.error,
)  # fmt: skip

DETECTED: Final = "detect by content"
ORIENTED: Final = "apply EXIF orientation"
FLATTENED: Final = "flatten on an opaque background"
CONVERTED: Final = "convert to RGB"

_ORIENTATION: Final = 0x0112
# Where Pillow looks for it.
_METADATA: Final = ("exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp")
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class ImageCheck:
    """What became of an image.

    Attributes:
        status: `ok` or `rejected`.
        reason: why it was rejected, else None.
        width: in pixels after orientation; None where it was rejected.
        height: as the width.
        repairs: what has to be done to see it as it is meant, in order.
    """

    status: Status
    reason: str | None = None
    width: int | None = None
    height: int | None = None
    repairs: tuple[str, ...] = ()


def decode_image(
    data: bytes, file_name: str = "", limits: MediaLimits | None = None
) -> tuple[Image.Image, tuple[str, ...]]:
    """Decode an image whole and bring it to RGB.

    EXIF orientation is applied; alpha is flattened on white; CMYK, grayscale (16 bits too) and
    palettes are converted. Of several frames or pages the first counts.

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
            # Pillow warns of large images and odd metadata; the limits decide.
            warnings.simplefilter("ignore")
            return _decode(data, file_name, limits)
    except Image.DecompressionBombError as error:
        raise MediaError(Reason.IMAGE_TOO_LARGE, "more pixels than Pillow decodes") from error
    except UnidentifiedImageError as error:
        cut = is_cut(data)
        raise MediaError(Reason.IMAGE_TRUNCATED if cut else Reason.IMAGE_NOT_DECODABLE) from error
    except _DECODER_ERRORS as error:
        cut = "truncated" in str(error).lower() or is_cut(data)
        raise MediaError(Reason.IMAGE_TRUNCATED if cut else Reason.IMAGE_NOT_DECODABLE) from error


def to_rgb(image: Image.Image) -> Image.Image:
    """Bring an open image to RGB as `decode_image` does: upright, flattened on white.

    What comes back names no orientation any more: to do it twice changes nothing.

    Args:
        image: of any mode, with its metadata; of several frames the one that it stands at counts.

    Raises:
        MediaError: it cannot be decoded.
    """
    try:
        return _to_rgb(image)[0]
    except _DECODER_ERRORS as error:
        cut = "truncated" in str(error).lower()
        raise MediaError(Reason.IMAGE_TRUNCATED if cut else Reason.IMAGE_NOT_DECODABLE) from error


def check_image(data: bytes, file_name: str = "", limits: MediaLimits | None = None) -> ImageCheck:
    """Check an image; takes what `decode_image` takes, which says what is done to it."""
    try:
        image, repairs = decode_image(data, file_name, limits)
    except MediaError as error:
        return ImageCheck(Status.REJECTED, str(error))
    return ImageCheck(Status.OK, None, image.width, image.height, repairs)


def _decode(
    data: bytes, file_name: str, limits: MediaLimits
) -> tuple[Image.Image, tuple[str, ...]]:
    image: Image.Image = Image.open(io.BytesIO(data), formats=_FORMATS)
    _check_size(image, limits)
    expected = _SUFFIXES.get(PurePosixPath(file_name).suffix.lower())
    repairs = [DETECTED] if expected and image.format not in expected else []
    # A TIFF turns itself when it is loaded and forgets.
    turned = image.format == "TIFF" and _orientation(image) in _TURNS
    upright, made = _to_rgb(image)
    if turned and ORIENTED not in made:
        repairs.append(ORIENTED)
    return upright, (*repairs, *made)


def _to_rgb(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    image.load()  # a PNG's EXIF may follow its pixels
    repairs = []
    left = _orientation(image)
    if left in _TURNS:
        image = image.transpose(_TURNS[left])
        image.info = {key: value for key, value in image.info.items() if key not in _METADATA}
        repairs.append(ORIENTED)
    if image.mode.startswith("I") or image.mode == "F":
        image = _narrow(image)
        repairs.append(CONVERTED)
    elif image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.new("RGB", rgba.size, "white")
        image.paste(rgba, mask=rgba.getchannel("A"))
        repairs += [FLATTENED, CONVERTED]
    elif image.mode != "RGB":
        image = image.convert("RGB")
        repairs.append(CONVERTED)
    return image, tuple(repairs)


def _check_size(image: Image.Image, limits: MediaLimits) -> None:
    size = f"{image.width} x {image.height} pixels"
    if image.width * image.height > limits.max_image_pixels:
        raise MediaError(Reason.IMAGE_TOO_LARGE, size)
    if min(image.size) < limits.min_image_side:
        raise MediaError(Reason.IMAGE_TOO_SMALL, size)


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation; damaged metadata does not make the picture unusable."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except _DECODER_ERRORS:
        return 1
    return value if isinstance(value, int) else 1


def _narrow(image: Image.Image) -> Image.Image:
    """Bring 16 or 32 bits a pixel of grayscale to RGB; Pillow itself would clip at 255.

    Integers are scaled from 65535 and floats from 1, or from the brightest pixel if that is more.
    """
    values = np.nan_to_num(np.asarray(image).astype(np.float32))
    full = 1.0 if image.mode == "F" else 65535.0
    full = max(full, float(values.max(initial=0.0)))
    scaled = np.clip(values * (255.0 / full), 0, 255).round().astype(np.uint8)
    return Image.fromarray(scaled).convert("RGB")
