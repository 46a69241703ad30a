"""Telling from a file's own account of its length that the end is missing.

Decoders are lenient: they play or show what is there. What a container says of its length, they
do not.
"""

from __future__ import annotations

from typing import Final

# Sizes that writers put down which could not go back: unknown, not long.
_UNKNOWN: Final = 0x7FFFF000
_OGG_LAST: Final = 4


def is_cut(data: bytes) -> bool:
    """Say whether a RIFF (WAV, WebP), AIFF or Ogg file lacks its end; False for other formats.

    Args:
        data: the file's bytes.
    """
    kind, form = data[:4], data[8:12]
    if kind == b"RIFF" and form == b"WAVE":
        return _chunk_is_cut(data, b"data", "little")
    if kind == b"FORM" and form in (b"AIFF", b"AIFC"):
        return _chunk_is_cut(data, b"SSND", "big")
    if kind == b"RIFF" and form == b"WEBP":
        return 8 + int.from_bytes(data[4:8], "little") > len(data)
    if kind == b"OggS":
        return _ogg_is_cut(data)
    return False


def _chunk_is_cut(data: bytes, name: bytes, order: str) -> bool:
    """Say whether the chunk with the samples runs past the end, or is not there."""
    at = 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little" if order == "little" else "big")
        if data[at : at + 4] == name:
            return size < _UNKNOWN and at + 8 + size > len(data)
        at += 8 + size + size % 2
    return True


def _ogg_is_cut(data: bytes) -> bool:
    """Say whether the last page is incomplete or is not marked as the last (RFC 3533)."""
    at = data.rfind(b"OggS")
    if at + 27 > len(data):
        return True
    table = data[at + 27 : at + 27 + data[at + 26]]
    ends = at + 27 + data[at + 26] + sum(table)
    return ends > len(data) or not data[at + 5] & _OGG_LAST
