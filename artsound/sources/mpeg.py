"""MPEG audio frames, as far as it takes to count them and to tell that a file was cut.

Decoders are lenient: they play what is there. The frames are walked by their headers (ISO/IEC
11172-3 and 13818-3): a last frame that runs past the end of the file, or fewer frames than the
Xing/Info header counts, means that the end is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# Bit rates in kbit/s by layer and index; 0 is "free", which is not walked. MPEG-1:
_V1: Final = {
    1: (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    2: (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
}
# MPEG-2 and 2.5:
_V2: Final = {
    1: (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    3: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES: Final = (44100, 48000, 32000)
# What may follow the last frame.
_TAGS: Final = (b"TAG", b"APETAGEX", b"LYRICS", b"ID3", b"3DI")
# Some encoders count the frame that holds the count.
_TOLERANCE: Final = 1


@dataclass(frozen=True)
class Frames:
    """The frames of a file.

    Attributes:
        first: where the first frame begins; it holds the Xing/Info header if there is one.
        counted: frames of sound that are there whole.
        promised: frames of sound that the Xing/Info header counts, or None without one.
        promise_at: where that count stands, -1 without one.
        cut: the end is missing.
    """

    first: int
    counted: int
    promised: int | None
    promise_at: int
    cut: bool


def _frame_lengths() -> dict[int, int]:
    """Return the frame length in bytes by the header's second and third byte."""
    lengths = {}
    for second in range(0xE0, 0x100):
        version, layer = (second >> 3) & 3, 4 - ((second >> 1) & 3)
        if version == 1 or layer == 4:
            continue
        table = (_V1 if version == 3 else _V2)[layer]
        for third in range(0x100):
            index, rate, padding = third >> 4, (third >> 2) & 3, (third >> 1) & 1
            if index in (0, 15) or rate == 3:
                continue
            hertz = _RATES[rate] >> {3: 0, 2: 1, 0: 2}[version]
            bits = table[index] * 1000
            if layer == 1:
                length = (12 * bits // hertz + padding) * 4
            else:
                samples = 72 if layer == 3 and version != 3 else 144
                length = samples * bits // hertz + padding
            lengths[second << 8 | third] = length
    return lengths


_LENGTHS: Final = _frame_lengths()


def _length(data: bytes, at: int) -> int:
    """Return the length of the frame whose header is at a position; 0 if there is none."""
    if at + 4 > len(data) or data[at] != 0xFF:
        return 0
    return _LENGTHS.get(data[at + 1] << 8 | data[at + 2], 0)


def _next_frame(data: bytes, at: int) -> int:
    """Return where the next frame begins that another follows (or the end), or -1."""
    while (at := data.find(b"\xff", at)) >= 0:
        length = _length(data, at)
        if length and (at + length == len(data) or _length(data, at + length)):
            return at
        at += 1
    return -1


def _after_id3(data: bytes) -> int:
    at = 0
    while data[at : at + 3] == b"ID3" and at + 10 <= len(data):
        size = 0
        for byte in data[at + 6 : at + 10]:
            size = size << 7 | byte & 0x7F
        at += 10 + size
    return at


def _promise(data: bytes, at: int) -> int:
    """Return where the Xing/Info header of the frame at a position has its count, or -1."""
    frame = data[at : at + min(_length(data, at), 64)]
    for name in (b"Xing", b"Info"):
        found = frame.find(name, 4, 48)
        if found >= 0 and int.from_bytes(frame[found + 4 : found + 8], "big") & 1:
            return at + found + 8
    return -1


def walk(data: bytes) -> Frames | None:
    """Walk the frames of an MPEG audio file; None if there are none.

    A file that was cut exactly between two frames and has no Xing/Info header cannot be told from a
    whole one.

    Args:
        data: the file's bytes.
    """
    first = at = _next_frame(data, _after_id3(data))
    if at < 0:
        return None
    promise_at = _promise(data, at)
    promised = None
    if promise_at >= 0:
        promised = int.from_bytes(data[promise_at : promise_at + 4], "big")
        at += _length(data, at)
    counted, partial = 0, False
    while at < len(data):
        length = _length(data, at)
        if length:
            if at + length > len(data):
                partial = True
                break
            counted += 1
            at += length
        elif data[at] == 0xFF and at + 4 > len(data):
            partial = True
            break
        elif data.startswith(_TAGS, at):
            break
        else:  # damage or padding in between: go on at the next frame, if there is one
            at = _next_frame(data, at + 1)
            if at < 0:
                break
    fewer = promised is not None and counted < promised - _TOLERANCE
    return Frames(first, counted, promised, promise_at, partial or fewer)


def with_true_count(data: bytes, frames: Frames) -> bytes:
    """Return a file whose Xing/Info header counts its frames as they are.

    libsndfile stops reading at the length that the header states, and without a header at an
    estimate from the first frame's bit rate, which at a variable bit rate is far off. A file with a
    right count is returned as it is.

    Args:
        data: the file's bytes.
        frames: what `walk` found in them.
    """
    if frames.promised == frames.counted or frames.cut:
        return data
    count = frames.counted.to_bytes(4, "big")
    if frames.promised is not None:
        return data[: frames.promise_at] + count + data[frames.promise_at + 4 :]
    second, third, fourth = data[frames.first + 1 : frames.first + 4]
    if 4 - ((second >> 1) & 3) != 3:
        return data  # the header is one of layer III; the other layers have constant bit rates
    # A frame of the highest bit rate that has room for it, like the first in all else; no CRC.
    head = bytes((0xFF, second | 1, 0xE0 | third & 0x0C, fourth))
    mpeg1, mono = (second >> 3) & 3 == 3, fourth >> 6 == 3
    side = (17 if mono else 32) if mpeg1 else (9 if mono else 17)
    header = head + bytes(side) + b"Xing" + (1).to_bytes(4, "big") + count
    return header.ljust(_length(head, 0), b"\0") + data[frames.first :]
