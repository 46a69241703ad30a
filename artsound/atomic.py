"""Writing a file so that nobody sees half of it, and clearing up after who was killed meanwhile."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

TEMPORARY: Final = ".tmp-"


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that a reader, or a crash, sees all of it or what was there before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{TEMPORARY}{os.getpid()}-{path.name}")
    try:
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:  # a full disk has no room for half a file
        temporary.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Delete the temporary files below a folder whose writers are no longer running here."""
    for path in folder.rglob(f"{TEMPORARY}*"):
        writer = path.name.removeprefix(TEMPORARY).partition("-")[0]
        if writer.isdecimal() and not _runs(int(writer)):
            path.unlink(missing_ok=True)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError as error:
        return isinstance(error, PermissionError)  # somebody else's
    return True
