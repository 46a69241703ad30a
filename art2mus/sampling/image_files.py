"""Images as people give them: Pillow's, files, or http(s) addresses; all decoded and checked."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from PIL import Image

from artsound.errors import ArtsoundError, UsageError
from artsound.sources.media import MediaError, MediaLimits, decode_image, to_rgb

ImageSource = Image.Image | str | Path

MAX_URL_BYTES: Final = 64 * 2**20
_TIMEOUT_S: Final = 20.0  # to connect, and between two pieces
_DEADLINE_S: Final = 120.0  # for the whole
_SCHEME: Final = "://"


class ImageError(ArtsoundError):
    """An image cannot be read; names it."""


def is_url(source: str) -> bool:
    """Say whether a text is an address and not a path."""
    return _SCHEME in source


def read_image(source: ImageSource) -> Image.Image:
    """Return an image as RGB: upright, whole, flattened on white, whichever way it is given.

    Args:
        source: an image of Pillow's, a file's path, or an http(s) address.

    Raises:
        UsageError: there is no such file, or the address is neither http nor https.
        ImageError: it is no image, a damaged one or too large, or it cannot be fetched.
    """
    if isinstance(source, Image.Image):
        try:
            return to_rgb(source)
        except MediaError as error:
            name = getattr(source, "filename", "") or "an image of Pillow's"
            raise ImageError(f"{name} cannot be used ({error}): give a whole one") from error
    return decode(read_bytes(source), str(source))


def decode(data: bytes, name: str) -> Image.Image:
    """Return the image that bytes hold, RGB.

    Raises:
        ImageError: they hold none that can be used; `name` says whose they are.
    """
    try:
        return decode_image(data, Path(urlsplit(name).path).name)[0]
    except MediaError as error:
        raise ImageError(
            f"{name} is no image that can be used ({error}): give a whole JPEG, PNG, WebP, GIF,"
            " TIFF or BMP"
        ) from error


def read_bytes(source: str | Path) -> bytes:
    """Return the bytes of a file, or of what an http(s) address serves.

    Raises:
        UsageError: there is no such file, or the address is neither http nor https.
        ImageError: it is too large, or cannot be read or fetched.
    """
    if isinstance(source, str) and is_url(source):
        return _fetch(source)
    path = Path(source).expanduser()
    if not path.is_file():
        found = "is a folder, not a file" if path.is_dir() else "no such file"
        raise UsageError(f"image {source}: {found}")
    limit = MediaLimits().max_image_bytes
    if path.stat().st_size > limit:
        raise ImageError(f"{path} is larger than {limit >> 20} MiB: that is no artwork's image")
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror or error}") from error


def _fetch(url: str) -> bytes:
    import httpx2

    scheme = urlsplit(url).scheme.lower()
    if scheme not in {"http", "https"}:
        raise UsageError(f"image {url}: {scheme} is not read; give a path, or http:// or https://")
    until = time.monotonic() + _DEADLINE_S
    data = bytearray()
    try:
        with httpx2.stream("GET", url, timeout=_TIMEOUT_S, follow_redirects=True) as response:
            response.raise_for_status()
            for piece in response.iter_bytes():
                data += piece
                if len(data) > MAX_URL_BYTES:
                    raise ImageError(
                        f"{url} serves more than {MAX_URL_BYTES >> 20} MiB: download it and give"
                        " the file"
                    )
                if time.monotonic() > until:
                    raise ImageError(
                        f"{url} took more than {_DEADLINE_S:.0f} s: download it and give the file"
                    )
    except httpx2.HTTPStatusError as error:
        raise ImageError(
            f"{url} answers {error.response.status_code} {error.response.reason_phrase}: check the"
            " address"
        ) from error
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(
            f"{url} cannot be fetched ({why}): check the address and the network, or download it"
            " and give the file"
        ) from error
    return bytes(data)
