"""Whether weights on disk are whole, as far as their beginning and end tell: before any work.

A file that was cut off is found here in milliseconds, and not when a build comes to the stage that
reads it. What is in the middle is looked at when it is read.
"""

from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path
from typing import Final

from artsound.errors import ArtsoundError

_LENGTH: Final = struct.Struct("<Q")
_LONGEST_HEADER: Final = 100_000_000  # the format's own limit


def check_whole(path: Path) -> None:
    """Look at the weights in a file, or at those in a folder.

    Raises:
        ArtsoundError: a file is cut off, empty or not of its kind; names it.
    """
    files = [path] if path.is_file() else sorted(path.rglob("*.safetensors"))
    for file in files:
        if file.suffix == ".safetensors":
            whole = _safetensors(file)
        elif file.suffix in {".pth", ".pt", ".bin", ".ckpt"}:
            whole = _pickle(file)
        else:
            continue
        if not whole:
            raise ArtsoundError(f"{file} is damaged or no checkpoint: download it again")


def _safetensors(path: Path) -> bool:
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(_LENGTH.size)
        if len(head) < _LENGTH.size:
            return False
        (length,) = _LENGTH.unpack(head)
        if length > min(size, _LONGEST_HEADER):
            return False
        try:
            header = json.loads(stream.read(length))
            ends = [entry["data_offsets"][1] for name, entry in header.items() if name[:2] != "__"]
        except (ValueError, TypeError, KeyError, IndexError, AttributeError):
            return False
    return _LENGTH.size + int(length) + max(ends, default=0) == size


def _pickle(path: Path) -> bool:
    with path.open("rb") as stream:
        begins = stream.read(2)
    # The directory of a zip is at its end. Files of torch before 1.6 are plain pickles.
    return zipfile.is_zipfile(path) if begins == b"PK" else begins[:1] == b"\x80"
