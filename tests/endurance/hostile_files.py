"""Files as no archive should hold them: damaged, lying, enormous, empty, or of another kind."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
import soundfile
from PIL import Image

from tests.sources.helpers import picture, saved

Made = tuple[str, bytes]  # what kind of trouble, and the bytes

_IMAGES: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("JPEG", {}), ("JPEG", {"progressive": True}), ("PNG", {}), ("WEBP", {}),
    ("WEBP", {"lossless": True}), ("GIF", {}), ("BMP", {}), ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}), ("TIFF", {"compression": "tiff_adobe_deflate"}),
    ("TIFF", {"compression": "jpeg"}), ("TIFF", {"compression": "packbits"}),
)  # fmt: skip
_SOUNDS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("WAV", {}), ("WAV", {"subtype": "IMA_ADPCM"}), ("WAV", {"subtype": "FLOAT"}), ("FLAC", {}),
    ("OGG", {}), ("OGG", {"subtype": "OPUS"}), ("MP3", {}), ("AIFF", {}), ("RF64", {}),
)  # fmt: skip
_RATE: Final = 16_000


def images(count: int, seed: int, special: bool = True) -> Iterator[Made]:
    """Yield this many files that stand where images belong; the made-up ones first, if wanted."""
    good = [saved(picture(), kind, **options) for kind, options in _IMAGES]
    others = _sounds()[:4] if special else []
    yield from _files(count, seed, good, _image_headers() if special else [], others)


def clips(count: int, seed: int, special: bool = True) -> Iterator[Made]:
    """Yield this many files that stand where audio belongs; the made-up ones first, if wanted."""
    pictures = [saved(picture(), kind, **options) for kind, options in _IMAGES[:4]]
    headers = _audio_headers() if special else []
    yield from _files(count, seed, _sounds(), headers, pictures if special else [])


def _files(
    count: int, seed: int, good: list[bytes], headers: list[Made], others: list[bytes]
) -> Iterator[Made]:
    generator = random.Random(seed)
    made = [
        ("zero bytes", b""),
        ("bomb in the zip", bytes(300 << 20)),  # deflated to a thousandth of it
        *headers,
        *(("of another kind", data) for data in (*others, *_others())),
    ][: count if headers else 0]
    yield from made
    mutations: tuple[tuple[str, Callable[[random.Random, bytes, bytes], bytes]], ...] = (
        ("some bytes changed", _changed), ("header changed", _header_changed), ("cut", _cut),
        ("two files spliced", _spliced), ("bytes inserted", _inserted), ("noise", _noise),
        ("a stretch zeroed", _zeroed),
    )  # fmt: skip
    for number in range(count - len(made)):
        kind, mutate = mutations[number % len(mutations)]
        yield kind, mutate(generator, generator.choice(good), generator.choice(good))


def _changed(generator: random.Random, data: bytes, other: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(generator.choice((1, 4, 64))):
        changed[generator.randrange(len(changed))] = generator.randrange(256)
    return bytes(changed)


def _header_changed(generator: random.Random, data: bytes, other: bytes) -> bytes:
    """Put numbers that parsers trip over into the first hundred bytes."""
    changed = bytearray(data)
    extreme = struct.pack("<I", generator.choice((0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)))
    at = generator.randrange(min(100, len(changed) - 4))
    changed[at : at + 4] = extreme
    return bytes(changed)


def _cut(generator: random.Random, data: bytes, other: bytes) -> bytes:
    return data[: generator.randrange(len(data))]


def _spliced(generator: random.Random, data: bytes, other: bytes) -> bytes:
    return data[: generator.randrange(len(data))] + other[generator.randrange(len(other)) :]


def _inserted(generator: random.Random, data: bytes, other: bytes) -> bytes:
    at = generator.randrange(len(data))
    return data[:at] + generator.randbytes(generator.choice((1, 100, 5000))) + data[at:]


def _noise(generator: random.Random, data: bytes, other: bytes) -> bytes:
    return data[: generator.choice((0, 4, 16))] + generator.randbytes(generator.randrange(4000))


def _zeroed(generator: random.Random, data: bytes, other: bytes) -> bytes:
    start, stop = sorted(generator.randrange(len(data) + 1) for _ in range(2))
    return data[:start] + bytes(stop - start) + data[stop:]


def _sounds() -> list[bytes]:
    time = np.arange(6 * _RATE) / _RATE
    wave = 0.4 * np.sin(2 * np.pi * 330 * time) * (1 + np.sin(2 * np.pi * 2 * time)) / 2
    found = []
    for kind, options in _SOUNDS:
        buffer = io.BytesIO()
        soundfile.write(buffer, wave, _RATE, format=kind, **options)
        found.append(buffer.getvalue())
    return found


def _others() -> list[bytes]:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as inner:
        inner.writestr("picture.jpg", b"x")
    postscript = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n(rm) run\nshowpage\n"
    vector = b'<svg xmlns="http://www.w3.org/2000/svg" width="99999" height="99999"/>'
    program = b"\x7fELF" + bytes(60)
    return [archive.getvalue(), postscript, vector, program, b"%PDF-1.7\n", b"\n" * 5000, b"GIF89a"]


def _chunk(name: bytes, content: bytes) -> bytes:
    crc = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + crc


def _png(width: int, height: int, pixels: bytes) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    stored = _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(pixels)) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + stored


def _image_headers() -> list[Made]:
    blank = Image.new("L", (13_000, 13_000))
    loop = b"II*\0\x08\0\0\0" + b"\0\0" + b"\x08\0\0\0"  # a directory that comes after itself
    return [
        ("bomb", saved(blank, "PNG")),
        ("bomb", saved(blank, "GIF")),
        ("bomb", _png(60_000, 60_000, b"")),
        ("bomb", _png(64, 64, bytes(100 << 20))),  # far more pixels than it states
        (
            "bomb",
            _png(32, 32, b"")[:33] + _chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(99 << 20))),
        ),
        ("absurd header", _png(0, 0, b"")),
        ("absurd header", _png(0x7FFFFFFF, 1, b"")),
        ("absurd header", b"GIF89a" + b"\xff" * 4 + b"\x70\0\0,\0\0\0\0" + b"\xff" * 4 + b"\0\x08"),
        (
            "absurd header",
            b"BM" + struct.pack("<IIIIii", 99, 0, 54, 40, -9, -2_000_000_000) + bytes(28),
        ),
        ("absurd header", loop),
        ("absurd header", b"II*\0\xff\xff\xff\xff"),
        ("absurd header", b"\xff\xd8\xff\xe1\xff\xffExif\0\0" + loop * 3000),
        ("absurd header", b"RIFF\xff\xff\xff\xffWEBPVP8X\xff\xff\xff\xff" + b"\xff" * 20),
    ]


def _audio_headers() -> list[Made]:
    def wave(channels: int, rate: int, bits: int, size: int) -> bytes:
        form = struct.pack("<HHIIHH", 1, channels, rate, 0, 1, bits)
        return (
            b"RIFF" + struct.pack("<I", size) + b"WAVEfmt \x10\0\0\0" + form
            + b"data" + struct.pack("<I", size) + bytes(4000)
        )  # fmt: skip

    most = 0xFFFFFFFF
    silence = io.BytesIO()
    soundfile.write(silence, np.zeros(40 * 60 * 48_000, np.int16), 48_000, format="FLAC")
    return [
        ("bomb", silence.getvalue()),
        ("absurd header", wave(65_535, 8_000, 16, most)),
        ("absurd header", wave(1024, 8_000, 16, most)),
        ("absurd header", wave(0, 8_000, 16, 4000)),
        ("absurd header", wave(1, 0, 16, 4000)),
        ("absurd header", wave(1, most, 16, 4000)),
        ("absurd header", wave(1, 8_000, 0, 4000)),
        ("absurd header", b"fLaC\x80\0\0\x22" + b"\xff" * 34 + bytes(2000)),
        ("absurd header", b"OggS\0\x02" + b"\xff" * 20 + b"\xff" + b"\xff" * 255),
        ("absurd header", b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + bytes(3000)),
        ("absurd header", b"\xff\xfb\x90\x00" * 4000),
        ("absurd header", b"FORM" + b"\xff" * 4 + b"AIFFCOMM" + b"\xff" * 40),
    ]
