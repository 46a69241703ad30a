"""Weights told apart by their content, and where what is derived from them is kept."""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from pathlib import Path
from typing import Final

_CHUNK: Final = 1 << 22


def cache_folder() -> Path:
    """Return where downloads and conversions are kept: `ARTSOUND_CACHE`, or the user's cache."""
    given = os.environ.get("ARTSOUND_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(given).expanduser() if given else Path(base).expanduser() / "artsound"


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, or of a folder's names and files, in hexadecimal.

    A file is read once as long as its size and time stay the same.
    """
    if path.is_dir():
        found = hashlib.sha256()
        for file in sorted(path.rglob("*")):
            relative = file.relative_to(path)
            if file.is_file() and not any(part.startswith(".") for part in relative.parts):
                found.update(f"{relative.as_posix()}\0{digest(file)}\n".encode())
        return found.hexdigest()
    status = path.stat()
    return _digest(str(path.resolve()), status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4096)
def _digest(path: str, size: int, modified: int) -> str:
    """Hash a file; the answer is kept beside the conversions, since weights are large."""
    name = hashlib.sha256(f"{path}\0{size}\0{modified}".encode()).hexdigest()[:32]
    kept = cache_folder() / "digests" / name
    if size > _CHUNK and kept.is_file():
        return kept.read_text().strip()
    found = hashlib.sha256()
    with Path(path).open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            found.update(chunk)
    if size > _CHUNK:
        kept.parent.mkdir(parents=True, exist_ok=True)
        temporary = kept.with_name(f".{name}.{os.getpid()}")
        temporary.write_text(found.hexdigest())
        temporary.replace(kept)
    return found.hexdigest()
