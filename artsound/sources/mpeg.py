"""MPEG audio frames, as far as it takes to tell that a file was cut.

Decoders are lenient: they play what is there. The frames are walked by their headers (ISO/IEC
11172-3 and 13818-3): a last frame that runs past the end of the file, or fewer frames than the
Xing/Info header counts, means that the end is missing.
"""

from __future__ import annotations

from typing import Final

# Bit rates in kbit/s by (MPEG-1, layer) and index; 0 is "free", which is not walked.
_V1: Final = {
    1: (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    2: (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
}
_V2: Final = {
    1: (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    3: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES: Final = (44100, 48000, 32000)
_TAGS: Final = (b"TAG", b"APETAGEX", b"LYRICS", b"ID3", b"3DI")
# The first frame's header may count a frame more than encoders write.
_TOLERANCE: Final = 1


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


def _first_frame(data: bytes, at: int) -> int:
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


def _promised(data: bytes, at: int, length: int) -> int | None:
    """Return the number of frames that a Xing/Info header counts, or None without one."""
    frame = data[at : at + length]
    for name in (b"Xing", b"Info"):
        found = frame.find(name, 4, 48)
        if found >= 0 and int.from_bytes(frame[found + 4 : found + 8], "big") & 1:
            return int.from_bytes(frame[found + 8 : found + 12], "big")
    return None


def mp3_is_cut(data: bytes) -> bool:
    """Say whether an MPEG audio file lacks its end.

    A file that was cut exactly between two frames and has no Xing/Info header cannot be told from a
    whole one.

    Args:
        data: the file's bytes.
    """
    at = _first_frame(data, _after_id3(data))
    if at < 0:
        return False  # no frames: the decoder has its say on that
    promised = _promised(data, at, _length(data, at))
    frames = 0
    while at < len(data):
        length = _length(data, at)
        if length:
            if at + length > len(data):
                return True
            frames += 1
            at += length
        elif data[at] == 0xFF and at + 4 > len(data):
            return True
        elif data.startswith(_TAGS, at) or not data[at:].strip(b"\0"):
            break
        else:  # damage or padding in between: go on at the next frame, if there is one
            following = _first_frame(data, at + 1)
            if following < 0:
                break
            at = following
    counted = frames - (promised is not None)
    return promised is not None and counted < promised - _TOLERANCE
